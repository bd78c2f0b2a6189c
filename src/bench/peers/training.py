"""Parts of a pretraining step in PyTorch, eager and compiled."""
import json

import numpy as np
from peer import floats, serve, threads


def torch_module():
    import torch
    torch.set_num_threads(threads())
    return torch


def nt_xent_of(torch, temperature):
    """NT-Xent of rows [2 n, channels], first views before second ones, as most implementations write it."""
    def loss(rows):
        n = len(rows) // 2
        unit = torch.nn.functional.normalize(rows)
        logits = unit @ unit.T / temperature
        logits.fill_diagonal_(-torch.inf)
        return torch.nn.functional.cross_entropy(logits, torch.arange(2 * n).roll(n))
    return loss


def nt_xent(request, compiled):
    torch = torch_module()
    given = torch.from_numpy(floats(request)).flatten(0, 1)
    loss = nt_xent_of(torch, request["temperature"])
    loss = torch.compile(loss) if compiled else loss

    def run():
        leaf = given.clone().requires_grad_()
        loss(leaf).backward()
        return leaf.grad.reshape(request["shape"]).numpy()
    return run


def resnet(torch, request):
    """torchvision's ResNet, of any width and with the stem for small pictures."""
    from torchvision.models import resnet
    width, nn = request["width"], torch.nn
    block, depths = {"resnet18": (resnet.BasicBlock, [2, 2, 2, 2]), "resnet34": (resnet.BasicBlock, [3, 4, 6, 3]),
                     "resnet50": (resnet.Bottleneck, [3, 4, 6, 3])}[request["backbone"]]
    model = resnet.ResNet(block, depths)
    model.inplanes = width
    small = nn.Conv2d(3, width, 3, 1, 1, bias=False)
    model.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False) if request["imagenet_stem"] else small
    if not request["imagenet_stem"]:
        model.maxpool = nn.Identity()
    model.bn1 = nn.BatchNorm2d(width)
    for stage, depth in enumerate(depths):
        setattr(model, f"layer{stage + 1}", model._make_layer(block, width << stage, depth, stride=1 if stage == 0 else 2))
    model.fc = nn.Identity()
    return model, (width << 3) * block.expansion


def encoder(torch, request):
    if request["backbone"].startswith("resnet"):
        return resnet(torch, request)
    import timm
    model = timm.create_model(request["backbone"].replace("-", "_") + "_patch16_224", num_classes=0)
    model.pos_embed.requires_grad_(False)  # sines and cosines
    return model, model.num_features


def step(request, compiled):
    torch = torch_module()
    nn = torch.nn
    model, n_features = encoder(torch, request)
    head = nn.Sequential(nn.Linear(n_features, request["hidden"], bias=False), nn.BatchNorm1d(request["hidden"]), nn.ReLU(),
                         nn.Linear(request["hidden"], request["out"]))
    given = torch.from_numpy(np.fromfile(request["weights"], np.float32))
    trained = [p for p in [*model.parameters(), *head.parameters()] if p.requires_grad]
    if "pos_embed" in dict(model.named_parameters()):
        model.pos_embed.data = torch.from_numpy(np.fromfile(request["positions"], np.float32)).view_as(model.pos_embed)
    sizes = [p.numel() for p in trained]
    if sum(sizes) != len(given):
        raise ValueError(f"{sum(sizes)} weights instead of {len(given)}")
    for parameter, values in zip(trained, given.split(sizes)):
        parameter.data.copy_(values.view_as(parameter))
    optimizer = torch.optim.AdamW(trained, request["rate"], weight_decay=request["decay"], fused=True)
    views, nt_xent_loss = torch.from_numpy(floats(request)), nt_xent_of(torch, request["temperature"])

    def loss_of(batch):
        with torch.autocast("cpu", torch.bfloat16, enabled=request["bfloat16"]):
            features = model(batch)
        return nt_xent_loss(head(features.float()))
    loss_of = torch.compile(loss_of) if compiled else loss_of

    def run():
        optimizer.zero_grad()
        loss = loss_of(views)
        loss.backward()
        optimizer.step()
        return loss.detach().reshape(1).numpy()
    return run


def saw(torch, n, period, size):
    once = (torch.arange(period) - float(period // 2)) * size
    return once.repeat(n // period + 1)[:n].contiguous()


def amortisation(request, factored):
    torch = torch_module()
    with open(request["input"]) as file:
        convolutions = json.load(file)
    hidden = [torch.tensor(h) for h in convolutions["hidden"]]
    matrices = [saw(torch, n * len(h), request["period"], request["step"]).view(n, len(h))
                for n, h in zip(convolutions["sizes"], hidden)]
    kernel_gradients = [saw(torch, n, request["gradient_period"], request["gradient_step"]) for n in convolutions["sizes"]]
    averages = [matrix.clone() for matrix in matrices]
    rows, rate, keep = request["rows"], request["rate"], request["momentum"]

    def compared(kernel):
        a = matrices[0].detach()
        return torch.stack([kernel.detach()[:rows, None].expand(rows, a.shape[1]), a[:rows], averages[0][:rows]]).numpy()

    def average():
        torch._foreach_lerp_(averages, [matrix.detach() for matrix in matrices], 1 - keep)

    if factored:
        moments = [(torch.zeros_like(matrix), torch.zeros_like(matrix)) for matrix in matrices]
        gradient_buffers = [torch.empty_like(matrix) for matrix in matrices]
        count = 0

        def run():
            nonlocal count
            count += 1
            kernels = [matrix @ h for matrix, h in zip(matrices, hidden)]
            for matrix, g in zip(matrices, kernel_gradients):
                matrix.T @ g  # what goes on to h
            for matrix, (first, second), gradient, g, h in zip(matrices, moments, gradient_buffers, kernel_gradients, hidden):
                torch.outer(g, h, out=gradient)
                first.lerp_(gradient, 0.1)
                second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                matrix.addcdiv_(first, (second / (1 - 0.999 ** count)).sqrt_().add_(1e-8), value=-rate / (1 - 0.9 ** count))
            average()
            return compared(kernels[0])
        return run

    for matrix in matrices:
        matrix.requires_grad_()
    leaves = [h.requires_grad_() for h in hidden]
    optimizer = torch.optim.AdamW(matrices, rate, weight_decay=0.0, fused=True)

    def run():
        optimizer.zero_grad(set_to_none=False)  # kept buffers: fresh ones cost more than they
        for h in leaves:
            h.grad = None
        kernels = [matrix @ h for matrix, h in zip(matrices, leaves)]
        torch.autograd.backward(kernels, kernel_gradients)
        optimizer.step()
        average()
        return compared(kernels[0])
    return run


serve({
    ("nt-xent", "torch"): lambda request: nt_xent(request, compiled=False),
    ("nt-xent", "torch.compile"): lambda request: nt_xent(request, compiled=True),
    ("step", "torch"): lambda request: step(request, compiled=False),
    ("step", "torch.compile"): lambda request: step(request, compiled=True),
    ("amortisation", "torch naive"): lambda request: amortisation(request, factored=False),
    ("amortisation", "torch factored"): lambda request: amortisation(request, factored=True),
})

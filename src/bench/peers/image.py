"""Two views of pictures by torchvision, kornia, albumentations and DALI: uint8 [pictures, height, width, 3] or a folder of JPEG
files in, [2 pictures, 3, size, size] out, all first views before all second ones."""
import numpy as np
from peer import serve, threads


def pictures(request):
    return np.fromfile(request["input"], np.uint8).reshape(request["shape"])


def blur_sigma(settings):
    return tuple(settings["blur"]["sigma"])


def torchvision_transform(request):
    import torch
    from torchvision.transforms import v2
    s, jitter = request["settings"], request["settings"]["jitter"]
    return v2.Compose([
        v2.RandomResizedCrop(request["size"], scale=s["crop_area"], ratio=s["crop_ratio"], antialias=True),
        v2.RandomHorizontalFlip(s["flip_p"]),
        v2.RandomApply([v2.ColorJitter(jitter["brightness"], jitter["contrast"], jitter["saturation"], jitter["hue"])], jitter["p"]),
        v2.RandomGrayscale(s["grayscale_p"]),
        v2.RandomApply([v2.GaussianBlur(request["blur_kernel"], blur_sigma(s))], s["blur"]["p"]),
        v2.RandomSolarize(255 * s["solarize"]["threshold"], s["solarize"]["p"]),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(s["mean"], s["std"]),
    ])


def torchvision_views(request):
    import torch
    transform = torchvision_transform(request)
    each = list(torch.from_numpy(pictures(request)).permute(0, 3, 1, 2).contiguous())
    return lambda: torch.stack([transform(picture) for _ in range(2) for picture in each]).numpy()


def kornia_views(request):
    import kornia.augmentation as k
    import torch
    s, jitter = request["settings"], request["settings"]["jitter"]
    size, kernel = request["size"], request["blur_kernel"]
    transform = torch.nn.Sequential(
        k.RandomResizedCrop((size, size), scale=tuple(s["crop_area"]), ratio=tuple(s["crop_ratio"])),
        k.RandomHorizontalFlip(p=s["flip_p"]),
        k.ColorJitter(jitter["brightness"], jitter["contrast"], jitter["saturation"], jitter["hue"], p=jitter["p"]),
        k.RandomGrayscale(p=s["grayscale_p"]),
        k.RandomGaussianBlur((kernel, kernel), blur_sigma(s), p=s["blur"]["p"]),
        k.RandomSolarize(thresholds=0.0, additions=0.0, p=s["solarize"]["p"]),
        k.Normalize(torch.tensor(s["mean"]), torch.tensor(s["std"])),
    )
    batch = torch.from_numpy(pictures(request)).permute(0, 3, 1, 2).contiguous()

    def run():
        values = batch.to(torch.float32) / 255
        return torch.cat([transform(values), transform(values)]).numpy()
    return run


def albumentations_views(request):
    import albumentations as a
    import cv2
    cv2.setNumThreads(threads())
    s, jitter = request["settings"], request["settings"]["jitter"]
    size, kernel = request["size"], request["blur_kernel"]
    transform = a.Compose([
        a.RandomResizedCrop(size=(size, size), scale=tuple(s["crop_area"]), ratio=tuple(s["crop_ratio"]), interpolation=cv2.INTER_AREA),
        a.HorizontalFlip(p=s["flip_p"]),
        a.ColorJitter(brightness=(1 - jitter["brightness"], 1 + jitter["brightness"]), contrast=(1 - jitter["contrast"], 1 + jitter["contrast"]),
                      saturation=(1 - jitter["saturation"], 1 + jitter["saturation"]), hue=(-jitter["hue"], jitter["hue"]), p=jitter["p"]),
        a.ToGray(p=s["grayscale_p"]),
        a.GaussianBlur(blur_limit=(kernel, kernel), sigma_limit=blur_sigma(s), p=s["blur"]["p"]),
        a.Solarize(p=s["solarize"]["p"]),
        a.Normalize(s["mean"], s["std"]),
    ])
    each = list(pictures(request))
    return lambda: np.stack([transform(image=picture)["image"].transpose(2, 0, 1) for _ in range(2) for picture in each])


def dali_views(request, loaded):
    """`loaded(fn, types)` gives the pictures of a pipeline, of each of which two views are made; nothing is made ahead of run()."""
    import nvidia.dali.fn as fn
    import nvidia.dali.types as types
    from nvidia.dali import pipeline_def
    s, jitter, size = request["settings"], request["settings"]["jitter"], request["size"]

    @pipeline_def(batch_size=request["n"], num_threads=threads(), device_id=None, enable_conditionals=True, seed=1,
                  prefetch_queue_depth=1, exec_async=False, exec_pipelined=False)
    def views():
        def around(width):
            return fn.random.uniform(range=[1 - width, 1 + width])

        def happens(p):
            return fn.random.coin_flip(probability=p, dtype=types.BOOL)

        def view(x):
            x = fn.random_resized_crop(x, size=size, random_area=s["crop_area"], random_aspect_ratio=s["crop_ratio"],
                                       interp_type=types.INTERP_TRIANGULAR)
            x = fn.flip(x, horizontal=fn.random.coin_flip(probability=s["flip_p"]))
            if happens(jitter["p"]):
                x = fn.color_twist(x, brightness=around(jitter["brightness"]), contrast=around(jitter["contrast"]),
                                   saturation=around(jitter["saturation"]),
                                   hue=fn.random.uniform(range=[-360 * jitter["hue"], 360 * jitter["hue"]]))
            if happens(s["grayscale_p"]):
                x = fn.saturation(x, saturation=0.0)
            if happens(s["blur"]["p"]):
                x = fn.gaussian_blur(x, window_size=request["blur_kernel"], sigma=fn.random.uniform(range=list(blur_sigma(s))))
            if happens(s["solarize"]["p"]):
                bright = x >= int(255 * s["solarize"]["threshold"])
                x = fn.cast(bright * (255 - x) + (x < int(255 * s["solarize"]["threshold"])) * x, dtype=types.UINT8)
            return fn.crop_mirror_normalize(x, dtype=types.FLOAT, output_layout="CHW", mean=[255 * m for m in s["mean"]],
                                            std=[255 * d for d in s["std"]])
        x = loaded(fn, types)
        return view(x), view(x)
    pipeline = views()
    pipeline.build()
    return lambda: np.stack([np.asarray(view) for half in pipeline.run() for view in half])


def dali_of_memory(request):
    batch = list(pictures(request))
    return dali_views(request, lambda fn, types: fn.external_source(source=lambda: batch, batch=True, layout="HWC"))


def dali_of_files(request):
    from pathlib import Path
    files = sorted(str(path) for path in Path(request["input"]).rglob("*.jpg"))

    def loaded(fn, types):
        jpegs, _ = fn.readers.file(files=files, random_shuffle=False)
        return fn.decoders.image(jpegs, device="cpu", output_type=types.RGB)
    return dali_views(request, loaded)


def data_loader(request):
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2
    # Of PIL pictures, as ImageFolder opens them; a single thread loads in its own process.
    transform = v2.Compose([v2.ToImage(), torchvision_transform(request)])
    folder = ImageFolder(request["input"], lambda picture: (transform(picture), transform(picture)))
    workers = 0 if threads() == 1 else threads()
    # A batch a worker.
    loader = torch.utils.data.DataLoader(folder, batch_size=-(-request["n"] // threads()), num_workers=workers, persistent_workers=workers > 0)

    def run():
        halves = zip(*(batch for batch, _ in loader))
        return torch.cat([batch for half in halves for batch in half]).numpy()
    return run


serve({
    ("views", "torchvision"): torchvision_views,
    ("views", "kornia"): kornia_views,
    ("views", "albumentations"): albumentations_views,
    ("views", "DALI"): dali_of_memory,
    ("files", "DataLoader"): data_loader,
    ("files", "DALI"): dali_of_files,
})

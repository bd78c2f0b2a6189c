"""Write sound.json and sound.f32: what torchaudio 2.11 and librosa 0.11 make of two sounds: mel spectrograms (power, before the logarithm),
fades, and sounds stretched by a phase vocoder.

Neither is among the project's packages. Run with a Python that has them:
    python -m venv /tmp/mel && /tmp/mel/bin/pip install torch==2.11.0 torchaudio==2.11.0 librosa==0.11.0 && /tmp/mel/bin/python generate_sound.py
sound.f32 holds little-endian float32; each case of sound.json gives its settings, its output's shape and its place there (in floats).
"""
import json
import pathlib

import librosa
import numpy as np
import torch
import torchaudio

HERE = pathlib.Path(__file__).parent
RATE = 8000
draw = np.random.default_rng(4)
time = np.arange(3000) / RATE
# A chirp with harmonics, and noise with a click.
sounds = np.stack([sum(np.sin(2 * np.pi * k * (200 * time + 900 * time**2)) / k for k in (1, 2, 3)) * 0.2,
                   draw.normal(0, 0.05, len(time))]).astype(np.float32)
sounds[1, 1234] = 0.9

cases, values = [], []


def add(name, array, **settings):
    array = np.ascontiguousarray(array, dtype=np.float32)
    cases.append({"case": name, "settings": settings, "shape": list(array.shape), "offset": sum(v.size for v in values)})
    values.append(array)


add("input", sounds)
for n_fft, window, hop, bands, low, high in ((512, 400, 160, 64, 0, 4000), (256, 256, 100, 40, 60, 3800), (1024, 1024, 512, 128, 0, 4000)):
    common = {"n_fft": n_fft, "window": window, "hop": hop, "bands": bands, "lowest_Hz": low, "highest_Hz": high}
    for scale, norm in (("htk", None), ("slaney", "slaney"), ("htk", "slaney"), ("slaney", None)):
        mel = torchaudio.transforms.MelSpectrogram(RATE, n_fft, window, hop, f_min=low, f_max=high, n_mels=bands, mel_scale=scale, norm=norm)
        add("torchaudio", mel(torch.from_numpy(sounds)).numpy(), **common, scale=scale, norm="area" if norm else "none", padding="reflect")
        made = librosa.feature.melspectrogram(y=sounds, sr=RATE, n_fft=n_fft, win_length=window, hop_length=hop, n_mels=bands, fmin=low,
                                              fmax=high, htk=scale == "htk", norm=norm, pad_mode="constant")
        add("librosa", made, **common, scale=scale, norm="area" if norm else "none", padding="silence")

for shape in ("linear", "logarithmic", "exponential"):
    add("fade", torchaudio.transforms.Fade(700, 400, shape)(torch.from_numpy(sounds)).numpy(), shape=shape, fade_in=700, fade_out=400)
wide = torch.from_numpy(sounds).double()
for n_fft, rate in ((256, 0.7), (256, 1.3), (512, 1.5)):
    window = torch.hann_window(n_fft, dtype=torch.float64)
    transform = torch.stft(wide, n_fft, n_fft // 4, window=window, return_complex=True)
    advance = torch.linspace(0, np.pi * (n_fft // 4), n_fft // 2 + 1, dtype=torch.float64)[:, None]
    vocoded = torchaudio.functional.phase_vocoder(transform, rate, advance)
    add("stretch", torch.istft(vocoded, n_fft, n_fft // 4, window=window, length=round(wide.shape[1] / rate)).numpy(), n_fft=n_fft, rate=rate)

(HERE / "sound.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
np.concatenate([v.ravel() for v in values]).astype("<f4").tofile(HERE / "sound.f32")

"""Operations on sounds by torchaudio, librosa and audiomentations: arrays [clips, samples] in, the same or [clips, bands, frames] out."""
from peer import floats, serve, threads


def torchaudio():
    import torch
    import torchaudio
    torch.set_num_threads(threads())
    torch.set_grad_enabled(False)
    return torch, torchaudio


def torchaudio_pitch_shift(request):
    torch, audio = torchaudio()
    sounds = torch.from_numpy(floats(request))
    n_fft = request["n_fft"]
    return lambda: audio.functional.pitch_shift(sounds, request["rate"], request["semitones"], n_fft=n_fft).numpy()


def librosa_pitch_shift(request):
    import librosa
    sounds = floats(request)
    return lambda: librosa.effects.pitch_shift(sounds, sr=request["rate"], n_steps=request["semitones"], n_fft=request["n_fft"],
                                               res_type="soxr_hq")


def torchaudio_time_stretch(request):
    torch, audio = torchaudio()
    sounds = torch.from_numpy(floats(request))
    n_fft, hop = request["n_fft"], request["n_fft"] // 4
    window = torch.hann_window(n_fft)
    stretch = audio.transforms.TimeStretch(hop_length=hop, n_freq=n_fft // 2 + 1, fixed_rate=request["times"])
    length = round(sounds.shape[1] / request["times"])

    def run():
        transform = torch.stft(sounds, n_fft, hop, window=window, return_complex=True)
        return torch.istft(stretch(transform), n_fft, hop, window=window, length=length).numpy()
    return run


def librosa_time_stretch(request):
    import librosa
    sounds = floats(request)
    return lambda: librosa.effects.time_stretch(sounds, rate=request["times"], n_fft=request["n_fft"])


def torchaudio_fade(request):
    torch, audio = torchaudio()
    sounds = torch.from_numpy(floats(request))
    n = round(request["share"] * sounds.shape[1])
    fade = audio.transforms.Fade(fade_in_len=n, fade_out_len=n, fade_shape="linear")
    return lambda: fade(sounds).numpy()


def torchaudio_noise(request):
    torch, audio = torchaudio()
    sounds = torch.from_numpy(floats(request))
    snr = torch.full(sounds.shape[:1], request["snr_dB"])
    return lambda: audio.functional.add_noise(sounds, torch.randn_like(sounds), snr).numpy()


def audiomentations_each(request, make):
    """audiomentations takes one sound at a time."""
    import audiomentations
    import numpy as np
    sounds = floats(request)
    operation = make(audiomentations)
    return lambda: np.stack([operation(sound, sample_rate=request["rate"]) for sound in sounds])


def audiomentations_noise(request):
    snr = request["snr_dB"]
    return audiomentations_each(request, lambda a: a.AddGaussianSNR(min_snr_db=snr, max_snr_db=snr, p=1.0))


def audiomentations_coloured_noise(request):
    snr = request["snr_dB"]
    return audiomentations_each(request, lambda a: a.AddColorNoise(min_snr_db=snr, max_snr_db=snr, min_f_decay=-3.01,
                                                                   max_f_decay=-3.01, p=1.0))


def torchaudio_gain(request):
    torch, audio = torchaudio()
    sounds = torch.from_numpy(floats(request))
    return lambda: audio.functional.gain(sounds, request["gain_dB"]).numpy()


def audiomentations_gain(request):
    gain = request["gain_dB"]
    return audiomentations_each(request, lambda a: a.Gain(min_gain_db=gain, max_gain_db=gain, p=1.0))


def audiomentations_shift(request):
    share = request["share"]
    return audiomentations_each(request, lambda a: a.Shift(min_shift=share, max_shift=share, shift_unit="fraction", rollover=True,
                                                           fade_duration=0.0, p=1.0))


def audiomentations_time_mask(request):
    share = request["share"]
    return audiomentations_each(request, lambda a: a.TimeMask(min_band_part=share, max_band_part=share, fade_duration=0.0, p=1.0))


def torchaudio_log_mel(request):
    torch, audio = torchaudio()
    sounds = torch.from_numpy(floats(request))
    mel = audio.transforms.MelSpectrogram(sample_rate=request["rate"], n_fft=request["n_fft"], win_length=request["n_fft"],
                                          hop_length=request["hop"], n_mels=request["bands"])
    floor, offset, divisor = request["floor"], request["offset"], request["divisor"]
    return lambda: ((mel(sounds) + floor).log_().add_(offset).div_(divisor)).numpy()


def librosa_log_mel(request):
    import librosa
    import numpy as np
    sounds = floats(request)

    def run():
        mel = librosa.feature.melspectrogram(y=sounds, sr=request["rate"], n_fft=request["n_fft"], hop_length=request["hop"],
                                             n_mels=request["bands"], htk=True, norm=None, pad_mode="reflect")
        return (np.log(mel + request["floor"]) + request["offset"]) / request["divisor"]
    return run


serve({
    ("pitch-shift", "torchaudio"): torchaudio_pitch_shift,
    ("pitch-shift", "librosa"): librosa_pitch_shift,
    ("time-stretch", "torchaudio"): torchaudio_time_stretch,
    ("time-stretch", "librosa"): librosa_time_stretch,
    ("fade", "torchaudio"): torchaudio_fade,
    ("noise-white", "torchaudio"): torchaudio_noise,
    ("noise-white", "audiomentations"): audiomentations_noise,
    ("noise-pink", "audiomentations"): audiomentations_coloured_noise,
    ("gain", "torchaudio"): torchaudio_gain,
    ("gain", "audiomentations"): audiomentations_gain,
    ("time-shift", "audiomentations"): audiomentations_shift,
    ("time-mask", "audiomentations"): audiomentations_time_mask,
    ("log-mel", "torchaudio"): torchaudio_log_mel,
    ("log-mel", "librosa"): librosa_log_mel,
})

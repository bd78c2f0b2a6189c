// Owns the precompiled header of LibTorch; holds nothing else.
namespace invaria {}

/// @file
/// Each shipped manifest of a data set of sounds that cannot be shipped, on a small copy made in its official layout.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

using Texts = std::vector<std::string>;

/// The bytes of a mono WAV of 16 bits and 8 kHz: twenty samples, of which the first differs with `seed`.
std::string wav(int seed) {
  std::string out = "RIFF";
  const auto put = [&](auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  put(int32_t{36 + 40});
  out += "WAVEfmt ";
  put(int32_t{16});
  put(int16_t{1});  // PCM
  put(int16_t{1});  // channels
  put(int32_t{8000});
  put(int32_t{16000});
  put(int16_t{2});
  put(int16_t{16});
  out += "data";
  put(int32_t{40});
  for (int n = 0; n < 20; ++n) put(static_cast<int16_t>(n == 0 ? 1000 + seed : 100 * n));
  return out;
}

Manifest whole(const std::string& name) {
  return read_manifest(fs::path(INVARIA_SOURCE_DIR) / "datasets" / (name + ".json"));
}

/// The shipped manifest without what only the whole data set has.
Manifest shipped(const std::string& name, int64_t classes) {
  Manifest manifest = whole(name);
  manifest.source.clear();
  manifest.classes = classes;
  for (SplitManifest& split : manifest.splits) split.count.reset();
  return manifest;
}

DatasetSettings settings_of(const Manifest& manifest) {
  DatasetSettings settings;
  settings.name = manifest.name;
  settings.sound = {.rate = 8000, .seconds = 0.05};
  return settings;
}

/// What a data set holds, by name of the split.
struct Found {
  std::map<std::string, Texts> names;
  std::map<std::string, Texts> classes;       ///< one a sample
  std::map<std::string, Texts> class_splits;  ///< by name of the class split
};

Texts named(const Texts& classes, const std::vector<int64_t>& labels) {
  Texts names;
  for (const int64_t label : labels) names.push_back(classes.at(static_cast<size_t>(label)));
  return names;
}

/// A folder with the files as the data set's folder, decoded.
Found load(const Manifest& manifest, const Files& files) {
  const TemporaryFolder folder;
  write_folder(folder.path() / manifest.folder_names()[0], files);
  const Dataset dataset =
      load_dataset(manifest, settings_of(manifest), {{folder.path()}, 1, {}}, NodeMemory::private_memory());
  Found found;
  for (const auto& [name, split] : dataset.splits) {
    found.names[name] = split.names;
    found.classes[name] = named(dataset.classes, split.labels);
    CHECK(split.shape.n_values == 400);
  }
  for (const auto& [name, labels] : dataset.class_splits) found.class_splits[name] = named(dataset.classes, labels);
  return found;
}

/// The same without decoding: the files may hold anything.
Found list(const Manifest& manifest, const Files& files) {
  const TemporaryFolder folder;
  write_folder(folder.path() / manifest.folder_names()[0], files);
  config::Problems problems;
  const Listing listing = list_dataset(manifest, settings_of(manifest), {folder.path()}, 1, "", problems);
  problems.throw_if_any("listing");
  Found found;
  for (const SplitListing& split : listing.splits) {
    std::vector<int64_t> labels;
    for (const Sample& sample : split.samples) {
      found.names[split.name].push_back(sample.name);
      labels.push_back(sample.label);
    }
    found.classes[split.name] = named(listing.classes, labels);
  }
  for (const auto& [name, labels] : listing.class_splits) found.class_splits[name] = named(listing.classes, labels);
  return found;
}

/// The names as files, each a sound of its own.
Files sounds(const Texts& names) {
  Files files;
  for (const std::string& name : names) files.emplace_back(name, wav(static_cast<int>(files.size())));
  return files;
}

/// Those and others, whatever they hold.
Files with(Files files, const Files& others) {
  files.insert(files.end(), others.begin(), others.end());
  return files;
}

}  // namespace

TEST_CASE("ESC-50 and ESC-10 have each of their five folds as test, the other four as train", "[data][official]") {
  // Two clips a fold, named {fold}-{source}-{take}-{target}.wav.
  Files audio;
  std::string esc50 = "filename,fold,target,category,esc10,src_file,take\n";
  std::string esc10 = "filename,fold,target,category,src_file,take\n";
  for (int fold = 1; fold <= 5; ++fold) {
    for (const auto& [target, category] : {std::pair{0, "dog"}, {36, "vacuum_cleaner"}}) {
      const std::string name = fmt::format("{}-{}-A-{}.wav", fold, 100 * fold, target);
      audio.emplace_back("audio/" + name, wav(fold));
      esc50 += fmt::format("{},{},{},{},{},{},A\n", name, fold, target, category, target == 0 ? "True" : "False",
                           100 * fold);
      esc10 += fmt::format("{},{},{},{},{},A\n", name, fold, target, category, 100 * fold);
    }
  }
  const auto [set, list_name, text, n, n_classes] =
      GENERATE_COPY(table<std::string, std::string, std::string, int64_t, int64_t>(
          {{"esc50", "meta/esc50.csv", esc50, 2000, 50}, {"esc10", "esc10.csv", esc10, 400, 10}}));
  const int fold = GENERATE(1, 2, 3, 4, 5);
  const std::string name = fmt::format("{}-fold{}", set, fold);
  CAPTURE(name);
  const Manifest manifest = whole(name);
  CHECK(manifest.classes == n_classes);
  CHECK(manifest.splits[0].count == n / 5 * 4);
  CHECK(manifest.splits[1].count == n / 5);

  const Found found = load(shipped(name, 2), with(audio, {{list_name, text}}));
  CHECK(found.names.at("test") == Texts{fmt::format("audio/{}-{}-A-0.wav", fold, 100 * fold),
                                        fmt::format("audio/{}-{}-A-36.wav", fold, 100 * fold)});
  CHECK(found.classes.at("test") == Texts{"dog", "vacuum_cleaner"});
  std::set<std::string> all(found.names.at("train").begin(), found.names.at("train").end());
  CHECK(all.size() == 8);
  for (const std::string& test : found.names.at("test")) CHECK(all.insert(test).second);
}

TEST_CASE("NSynth's classes are families, or instruments of which train and test share none", "[data][official]") {
  const Files files = with(
      sounds({"nsynth-train/audio/bass_acoustic_000-024-127.wav",
              "nsynth-train/audio/synth_lead_synthetic_001-060-025.wav",
              "nsynth-valid/audio/bass_synthetic_068-049-025.wav", "nsynth-test/audio/bass_synthetic_068-049-050.wav"}),
      {{"nsynth-train/examples.json", R"({"bass_acoustic_000-024-127": {"instrument_family_str": "bass"}})"}});
  const Found families = load(shipped("nsynth", 2), files);
  CHECK(families.classes ==
        std::map<std::string, Texts>{{"train", {"bass", "synth_lead"}}, {"validation", {"bass"}}, {"test", {"bass"}}});
  const Found instruments = load(shipped("nsynth-instrument", 3), files);
  CHECK(instruments.names.at("validation") == Texts{"nsynth-valid/audio/bass_synthetic_068-049-025.wav"});
  CHECK(instruments.classes.at("test") == Texts{"bass_synthetic_068"});
  CHECK(instruments.class_splits ==
        std::map<std::string, Texts>{{"base", {"bass_acoustic_000", "synth_lead_synthetic_001"}},
                                     {"novel", {"bass_synthetic_068"}}});
}

TEST_CASE("FSDKaggle2018 has its labels and splits from the lists after the competition", "[data][official]") {
  const Found found =
      load(shipped("fsdkaggle2018", 2),
           with(sounds({"FSDKaggle2018.audio_train/00044347.wav", "FSDKaggle2018.audio_train/002d256b.wav",
                        "FSDKaggle2018.audio_test/00326aa9.wav", "FSDKaggle2018.audio_test/0038a046.wav"}),
                {{"FSDKaggle2018.meta/train_post_competition.csv",
                  "fname,label,manually_verified,freesound_id,license\n"
                  "00044347.wav,Hi-hat,0,28739,Attribution\n002d256b.wav,Trumpet,0,10513,Creative Commons 0\n"},
                 {"FSDKaggle2018.meta/test_post_competition_scoring_clips.csv",
                  "fname,label,usage,freesound_id,license\n00326aa9.wav,Trumpet,Private,3551,Attribution\n"
                  "0038a046.wav,Hi-hat,Public,3552,Attribution\n"}}));
  CHECK(found.names.at("train") ==
        Texts{"FSDKaggle2018.audio_train/00044347.wav", "FSDKaggle2018.audio_train/002d256b.wav"});
  CHECK(found.classes.at("train") == Texts{"Hi-hat", "Trumpet"});
  CHECK(found.classes.at("test") == Texts{"Trumpet", "Hi-hat"});
}

TEST_CASE("VoxCeleb1 has its identification split from its list, and its speakers for verification apart",
          "[data][official]") {
  const Texts speakers{"id10001", "id10199", "id10269", "id10270", "id10309", "id10310", "id11251"};
  Texts names;
  std::string lines;
  for (const std::string& speaker : speakers) {
    for (int part = 1; part <= 3; ++part) {
      const std::string clip = fmt::format("{}/1zcIwhmdeo{}/00001.wav", speaker, part);
      names.push_back("wav/" + clip);
      lines += fmt::format("{} {}\n", part, clip);
    }
  }
  const Files files = with(sounds(names), {{"iden_split.txt", lines}});
  const auto n_speakers = std::ssize(speakers);
  const Found identification = load(shipped("voxceleb1", n_speakers), files);
  for (const auto& [split, part] : {std::pair{"train", 1}, {"validation", 2}, {"test", 3}}) {
    CHECK(identification.names.at(split)[0] == fmt::format("wav/id10001/1zcIwhmdeo{}/00001.wav", part));
    CHECK(identification.classes.at(split) == speakers);
  }
  const Found verification = load(shipped("voxceleb1-verification", n_speakers), files);
  CHECK(verification.names.at("train").size() == 15);
  CHECK(verification.class_splits ==
        std::map<std::string, Texts>{{"base", {"id10001", "id10199", "id10269", "id10310", "id11251"}},
                                     {"novel", {"id10270", "id10309"}}});
}

TEST_CASE("CREMA-D's emotions are learned from other actors than they are judged by", "[data][official]") {
  const Found found =
      load(shipped("crema-d-emotion", 2),
           sounds({"AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1040_ITH_SAD_X.wav", "AudioWAV/1069_IEO_SAD_HI.wav",
                   "AudioWAV/1070_IEO_SAD_HI.wav", "AudioWAV/1091_WSI_ANG_XX.wav"}));
  CHECK(found.names.at("test") == Texts{"AudioWAV/1070_IEO_SAD_HI.wav", "AudioWAV/1091_WSI_ANG_XX.wav"});
  CHECK(found.classes.at("test") == Texts{"SAD", "ANG"});
  CHECK(found.classes.at("train") == Texts{"ANG", "SAD", "SAD"});
}

TEST_CASE("sets of sounds without official splits are dealt out class by class, what is no sample left out",
          "[data][official]") {
  struct Case {
    std::string name;
    Texts samples;  ///< two a class
    Texts others;
    Texts classes;
  };
  const Case set = GENERATE(
      Case{"watkins",
           {"Beluga,_White_Whale/1.wav", "Beluga,_White_Whale/2.wav", "Walrus/7200601A.wav", "Walrus/7200601B.wav"},
           {"annotations.csv"},
           {"Beluga,_White_Whale", "Walrus"}},
      Case{"birdclef2020-pruned",
           {"amerob/XC1.wav", "amerob/XC2.wav", "norcar/XC3.wav", "norcar/XC4.wav"},
           {"remove_files.csv"},
           {"amerob", "norcar"}},
      Case{"speech-commands-v2-fewshot",
           {"bed/00176480_nohash_0.wav", "bed/004ae714_nohash_1.wav", "yes/00176480_nohash_0.wav",
            "yes/00176480_nohash_1.wav"},
           {"_background_noise_/pink_noise.wav", "_background_noise_/README.md", "testing_list.txt", "README.md"},
           {"bed", "yes"}},
      Case{"crema-d-speaker",
           {"AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1001_IEO_HAP_LO.wav", "AudioWAV/1091_DFA_ANG_XX.wav",
            "AudioWAV/1091_IEO_HAP_LO.wav"},
           {"AudioMP3/1001_DFA_ANG_XX.mp3", "SentenceFilenames.csv"},
           {"1001", "1091"}},
      Case{"speech-accent-archive",
           {"recordings/recordings/arabic100.mp3", "recordings/recordings/arabic12.mp3",
            "recordings/recordings/english1.mp3", "recordings/recordings/english10.mp3"},
           {"recordings/recordings/agni1.mp3", "speakers_all.csv", "reading-passage.txt"},
           {"arabic", "english"}});
  CAPTURE(set.name);
  Manifest manifest = shipped(set.name, 2);
  manifest.splits[0].per_class = 1;
  Files files = sounds(set.samples);
  for (const std::string& other : set.others) files.emplace_back(other, "no sample");
  const Found found = set.samples[0].ends_with(".mp3") ? list(manifest, files) : load(manifest, files);
  CHECK(found.classes.at("train") == set.classes);
  CHECK(found.classes.at("test") == set.classes);
  CHECK(found.class_splits == std::map<std::string, Texts>{{"novel", set.classes}});
  Texts names = found.names.at("train");
  names.insert(names.end(), found.names.at("test").begin(), found.names.at("test").end());
  std::sort(names.begin(), names.end());
  CHECK(names == set.samples);
}

TEST_CASE("Common Voice's delta segment gives so many clips of each language that has enough", "[data][official]") {
  const Manifest manifest = shipped("common-voice-12-delta", 65);
  Files files{{"vi/clips/common_voice_vi_1.mp3", "too few"}, {"cy/validated.tsv", "client_id\tpath\n"}};
  for (int n = 0; n < 203; ++n) files.emplace_back(fmt::format("cy/clips/common_voice_cy_{}.mp3", n), "mp3");
  for (int n = 0; n < 150; ++n) files.emplace_back(fmt::format("zh-CN/clips/common_voice_zh-CN_{}.mp3", n), "mp3");
  const Found found = list(manifest, files);
  const auto count = [&](const std::string& split, const std::string& language) {
    return std::count(found.classes.at(split).begin(), found.classes.at(split).end(), language);
  };
  CHECK(count("train", "cy") == 100);
  CHECK(count("test", "cy") == 100);
  CHECK(count("train", "zh-CN") == 100);
  CHECK(count("test", "zh-CN") == 50);
  CHECK(found.names.at("train").size() + found.names.at("test").size() == 350);
  CHECK(found.class_splits.at("novel").size() == 65);
}

TEST_CASE("AudioSet's balanced segments are sounds of any name without labels", "[data][official]") {
  const Found found =
      load(shipped("audioset-balanced", 0),
           with(sounds({"balanced_train_segments/--PJHxphWEs.wav", "balanced_train_segments/Y-0DLPzsiXXE_30.wav",
                        "eval_segments/--4gqARaEJE.wav"}),
                {{"balanced_train_segments.csv", "# YTID, start_seconds, end_seconds, positive_labels\n"}}));
  CHECK(found.names == std::map<std::string, Texts>{{"train", {"--PJHxphWEs.wav", "Y-0DLPzsiXXE_30.wav"}}});
  CHECK(found.classes.at("train").empty());
}

TEST_CASE("ESC-10 itself has five folds of eight clips a class", "[data][official][real]") {
  const char* folder = std::getenv("INVARIA_TEST_DATA");
  if (folder == nullptr) INVARIA_SKIP("INVARIA_TEST_DATA names no folder with data sets");
  std::set<std::string> tested;
  for (int fold = 1; fold <= 5; ++fold) {
    const Manifest manifest = whole(fmt::format("esc10-fold{}", fold));
    const Dataset dataset =
        load_dataset(manifest, settings_of(manifest), {{folder}, 2, {}}, NodeMemory::private_memory());
    CHECK(dataset.split("train").n == 320);
    const DataSplit& test = dataset.split("test");
    std::vector<int64_t> counts(10);
    for (const int64_t label : test.labels) ++counts.at(static_cast<size_t>(label));
    CHECK(counts == std::vector<int64_t>(10, 8));
    tested.insert(test.names.begin(), test.names.end());
  }
  CHECK(tested.size() == 400);
}

TEST_CASE("Speech Commands' train is what its lists of validation and test do not name", "[data][official]") {
  const Texts clips{"bed/0a_nohash_0.wav", "bed/0b_nohash_0.wav", "bed/0c_nohash_1.wav",
                    "cat/0a_nohash_0.wav", "cat/0d_nohash_0.wav", "cat/0e_nohash_2.wav"};
  const Manifest manifest = shipped("speech-commands-v2", 2);
  const Files lists{{"validation_list.txt", "bed/0b_nohash_0.wav\ncat/0a_nohash_0.wav\n"},
                    {"testing_list.txt", "cat/0d_nohash_0.wav\nbed/0c_nohash_1.wav\n"},
                    {"_background_noise_/pink_noise.wav", wav(9)}};
  const Found found = load(manifest, with(sounds(clips), lists));
  CHECK(found.names == std::map<std::string, Texts>{{"train", {"bed/0a_nohash_0.wav", "cat/0e_nohash_2.wav"}},
                                                    {"validation", {"bed/0b_nohash_0.wav", "cat/0a_nohash_0.wav"}},
                                                    {"test", {"bed/0c_nohash_1.wav", "cat/0d_nohash_0.wav"}}});
  CHECK(found.classes.at("train") == Texts{"bed", "cat"});

  config::Problems problems;
  Manifest twice = manifest;
  twice.splits[1].rest = true;
  twice.validate("", problems);
  CHECK_THAT(problems.to_string(), Catch::Contains("one at most"));
}

/// @file
/// Each shipped manifest of a data set that cannot be shipped, on a small copy made in its official layout.

#include <set>

#include "io/files.hpp"
#include "tests/data/small_dataset.hpp"

using namespace invaria;
using namespace invaria::data;
using namespace invaria::data::test;

namespace {

std::string golden(const std::string& name) {
  return io::read_file(fs::path(INVARIA_SOURCE_DIR) / "tests/golden/data" / name);
}

/// A picture 20 wide and 10 high: in a square of 10, x is halved and y stays.
std::string picture(int seed) {
  return jpeg(make_image(10, 20, seed));
}

/// The shipped manifest without what only the whole data set has.
Manifest shipped(const std::string& name, int64_t classes) {
  Manifest manifest = read_manifest(fs::path(INVARIA_SOURCE_DIR) / "datasets" / (name + ".json"));
  manifest.source.clear();
  manifest.classes = classes;
  for (SplitManifest& split : manifest.splits) split.count.reset();
  return manifest;
}

/// A folder with the files as the data set's folder.
class Copy {
 public:
  Copy(const Manifest& manifest, const Files& files) : manifest_(manifest) {
    write_folder(folder_.path() / manifest.folder_names()[0], files);
  }
  Dataset load() const {
    DatasetSettings settings;
    settings.name = manifest_.name;
    settings.size = 10;
    return load_dataset(manifest_, settings, {{folder_.path()}, 1, {}}, NodeMemory::private_memory());
  }
  fs::path path() const { return folder_.path() / manifest_.folder_names()[0]; }

 private:
  TemporaryFolder folder_;
  Manifest manifest_;
};

Dataset load(const Manifest& manifest, const Files& files) {
  return Copy(manifest, files).load();
}

std::vector<std::string> classes_of(const Dataset& dataset, const std::string& split) {
  std::vector<std::string> names;
  for (const int64_t label : dataset.split(split).labels) names.push_back(dataset.classes[static_cast<size_t>(label)]);
  return names;
}

using Texts = std::vector<std::string>;
using Targets = std::vector<std::vector<double>>;

/// A tar's bytes.
std::string tar(const Files& files) {
  const TemporaryFolder folder;
  write_archive(folder.path() / "a.tar", files);
  return io::read_file(folder.path() / "a.tar");
}

const std::string kGroundTruth = "2\n3\n1\n";

}  // namespace

TEST_CASE("ImageNet's official archives give classes from nested tars and the kit's ids", "[data][official]") {
  const Manifest manifest = shipped("imagenet1k", 3);
  const std::string kit = "ILSVRC2012_devkit_t12/data/";
  const Files train1{{"n01440764_10026.JPEG", picture(1)}, {"n01440764_1.JPEG", picture(2)}};
  const Files train2{{"n02119789_7.JPEG", picture(3)}, {"n02119789_8.JPEG", picture(4)}};
  const Files val{{"ILSVRC2012_val_00000001.JPEG", picture(5)},
                  {"ILSVRC2012_val_00000003.JPEG", picture(6)},
                  {"ILSVRC2012_val_00000002.JPEG", picture(7)}};
  const Copy packed(
      manifest, {{"ILSVRC2012_img_train.tar", tar({{"n01440764.tar", tar(train1)}, {"n02119789.tar", tar(train2)}})},
                 {"ILSVRC2012_img_val.tar", tar(val)},
                 {"ILSVRC2012_devkit_t12.tar", tar({{kit + "meta.mat", golden("meta.mat")},
                                                    {kit + "ILSVRC2012_validation_ground_truth.txt", kGroundTruth}})}});
  const Dataset dataset = packed.load();
  CHECK(dataset.classes == Texts{"n01440764", "n01443537", "n02119789"});
  CHECK(classes_of(dataset, "train") == Texts{"n01440764", "n01440764", "n02119789", "n02119789"});
  CHECK(classes_of(dataset, "test") == Texts{"n01440764", "n01443537", "n02119789"});

  Files unpacked{{kit + "meta.mat", golden("meta.mat")},
                 {kit + "ILSVRC2012_validation_ground_truth.txt", kGroundTruth}};
  for (const auto& [name, bytes] : train1) unpacked.emplace_back("train/n01440764/" + name, bytes);
  for (const auto& [name, bytes] : train2) unpacked.emplace_back("train/n02119789/" + name, bytes);
  for (const auto& [name, bytes] : val) unpacked.emplace_back("val/" + name, bytes);
  const Dataset same = load(manifest, unpacked);
  CHECK(classes_of(same, "test") == classes_of(dataset, "test"));
  CHECK(pixels_of(same.split("train")) == pixels_of(dataset.split("train")));
  CHECK(pixels_of(same.split("test")) == pixels_of(dataset.split("test")));
}

TEST_CASE("ImageNet-100 leaves the other classes out, its labels in its own list's order", "[data][official]") {
  Manifest manifest = shipped("imagenet100", 100);
  REQUIRE(manifest.class_names.size() == 100);
  CHECK(std::set<std::string>(manifest.class_names.begin(), manifest.class_names.end()).size() == 100);
  const std::string first = manifest.class_names[0];
  const std::string last = manifest.class_names[99];
  CHECK((first == "n02869837" && last == "n02090622"));
  manifest = shipped("imagenet100-folders", 100);
  const Dataset dataset = load(manifest, {{"train/" + last + "/a.JPEG", picture(1)},
                                          {"train/n01440764/b.JPEG", picture(2)},
                                          {"train/" + first + "/c.JPEG", picture(3)},
                                          {"val/" + first + "/d.JPEG", picture(4)}});
  CHECK(dataset.split("train").names == Texts{"train/" + last + "/a.JPEG", "train/" + first + "/c.JPEG"});
  CHECK(dataset.split("train").labels == std::vector<int64_t>{99, 0});
  CHECK(classes_of(
            load(shipped("imagenet1k-folders", 2),
                 {{"train/n02/a.JPEG", picture(1)}, {"train/n01/b.JPEG", picture(2)}, {"val/n02/c.JPEG", picture(3)}}),
            "test") == Texts{"n02"});
}

TEST_CASE("Tiny-ImageNet has classes and boxes from its lists", "[data][official]") {
  const Dataset dataset =
      load(shipped("tiny-imagenet-whole", 2), {{"train/n01/images/n01_0.JPEG", picture(1)},
                                               {"train/n01/n01_boxes.txt", "n01_0.JPEG\t0\t10\t18\t8\n"},
                                               {"train/n02/images/n02_0.JPEG", picture(2)},
                                               {"train/n02/n02_boxes.txt", "n02_0.JPEG\t2\t1\t4\t6\n"},
                                               {"val/images/val_0.JPEG", picture(3)},
                                               {"val/val_annotations.txt", "val_0.JPEG\tn02\t6\t3\t10\t9\n"}});
  CHECK(classes_of(dataset, "train") == Texts{"n01", "n02"});
  CHECK(dataset.split("train").targets == Targets{{0, 10, 9, 8}, {1, 1, 2, 6}});
  CHECK(classes_of(dataset, "test") == Texts{"n02"});
  CHECK(dataset.split("test").targets == Targets{{3, 3, 5, 9}});
}

TEST_CASE("Caltech-101 is dealt out class by class, thirty and up to fifty, without its background",
          "[data][official]") {
  Manifest manifest = shipped("caltech101-official", 101);
  Files files{{"BACKGROUND_Google/image_0001.jpg", picture(0)}};
  const std::string one = picture(1);
  for (int n = 1; n <= 100; ++n) files.emplace_back(fmt::format("ant/image_{:04}.jpg", n), one);
  for (int n = 1; n <= 33; ++n) files.emplace_back(fmt::format("inline_skate/image_{:04}.jpg", n), one);
  const Copy copy(manifest, files);
  const Dataset dataset = copy.load();
  const auto count = [&](const std::string& split, const std::string& name) {
    const Texts classes = classes_of(dataset, split);
    return std::count(classes.begin(), classes.end(), name);
  };
  CHECK(count("train", "ant") == 30);
  CHECK(count("test", "ant") == 50);
  CHECK(count("train", "inline_skate") == 30);
  CHECK(count("test", "inline_skate") == 3);
  CHECK(dataset.split("train").n == 60);
  std::set<std::string> names(dataset.split("train").names.begin(), dataset.split("train").names.end());
  for (const std::string& name : dataset.split("test").names) CHECK(names.insert(name).second);
  CHECK(copy.load().split("train").names == dataset.split("train").names);

  // The seed decides, and one class does not change what is drawn of another.
  manifest.split_seed = 1;
  CHECK(load(manifest, files).split("train").names != dataset.split("train").names);
  manifest.split_seed = 0;
  const Files without(files.begin(), files.begin() + 101);
  const Texts alone = load(manifest, without).split("train").names;
  CHECK(alone == Texts(dataset.split("train").names.begin(), dataset.split("train").names.begin() + 30));
}

TEST_CASE("DTD has its first official split", "[data][official]") {
  const Dataset dataset = load(shipped("dtd", 2), {{"images/banded/banded_1.jpg", picture(1)},
                                                   {"images/woven/woven_1.jpg", picture(2)},
                                                   {"images/woven/woven_2.jpg", picture(3)},
                                                   {"labels/train1.txt", "banded/banded_1.jpg\n"},
                                                   {"labels/val1.txt", "woven/woven_2.jpg\n"},
                                                   {"labels/test1.txt", "woven/woven_1.jpg\n"},
                                                   {"labels/train2.txt", "woven/woven_1.jpg\n"}});
  CHECK(dataset.split("train").names == Texts{"images/banded/banded_1.jpg"});
  CHECK(dataset.split("validation").names == Texts{"images/woven/woven_2.jpg"});
  CHECK(classes_of(dataset, "test") == Texts{"woven"});
}

TEST_CASE("Flowers-102 has its splits and labels from the MATLAB lists", "[data][official]") {
  Files files{{"imagelabels.mat", golden("imagelabels.mat")}, {"setid.mat", golden("setid.mat")}};
  for (int n = 1; n <= 6; ++n) files.emplace_back(fmt::format("jpg/image_{:05}.jpg", n), picture(n));
  const Dataset dataset = load(shipped("flowers102-official", 2), files);
  CHECK(dataset.classes == Texts{"001", "102"});
  CHECK(dataset.split("train").names == Texts{"jpg/image_00002.jpg", "jpg/image_00004.jpg"});
  CHECK(classes_of(dataset, "train") == Texts{"001", "102"});
  CHECK(classes_of(dataset, "validation") == Texts{"001", "102"});  // pictures 3 and 6
  CHECK(classes_of(dataset, "test") == Texts{"102", "001"});
}

TEST_CASE("Oxford-IIIT Pets has breeds from its lists and head boxes where there are any", "[data][official]") {
  const auto xml = [](int left) {
    return fmt::format(
        "<annotation><object><name>cat</name><bndbox><xmin>{}</xmin><ymin>2</ymin><xmax>{}</xmax><ymax>8</ymax>"
        "</bndbox></object></annotation>\n",
        left, left + 6);
  };
  const Files files{{"images/Abyssinian_10.jpg", picture(1)},
                    {"images/american_pit_bull_terrier_2.jpg", picture(2)},
                    {"images/Abyssinian_3.jpg", picture(3)},
                    {"annotations/list.txt", "#Image CLASS-ID SPECIES BREED ID\n"},
                    {"annotations/trainval.txt", "Abyssinian_10 1 1 1\namerican_pit_bull_terrier_2 2 2 1\n"},
                    {"annotations/test.txt", "Abyssinian_3 1 1 1\n"},
                    {"annotations/xmls/american_pit_bull_terrier_2.xml", xml(4)}};
  const Dataset dataset = load(shipped("pets", 2), files);
  CHECK(dataset.classes == Texts{"Abyssinian", "american_pit_bull_terrier"});
  CHECK(dataset.split("train").labels == std::vector<int64_t>{0, 1});
  CHECK(classes_of(dataset, "test") == Texts{"Abyssinian"});

  Manifest heads = shipped("pets-head", 1);
  heads.splits = {heads.splits[0]};
  const Dataset boxed = load(heads, files);
  CHECK(boxed.split("train").names == Texts{"images/american_pit_bull_terrier_2.jpg"});
  CHECK(boxed.split("train").targets == Targets{{2, 2, 5, 8}});
}

TEST_CASE("CUB-200-2011 has its split, boxes as corners, and classes for few-shot learning", "[data][official]") {
  Files files;
  std::string images, splits, boxes;
  for (int n = 1; n <= 5; ++n) {
    const std::string name = fmt::format("00{}.Bird/Bird_{}.jpg", n, n);
    files.emplace_back("images/" + name, picture(n));
    images += fmt::format("{} {}\n", n, name);
    splits += fmt::format("{} {}\n", n, n % 2);
    boxes += fmt::format("{} 2.0 1.0 {}.0 5.0\n", n, 2 * n);
  }
  files.insert(files.end(), {{"images.txt", images}, {"train_test_split.txt", splits}, {"bounding_boxes.txt", boxes}});
  const Dataset dataset = load(shipped("cub200", 5), files);
  CHECK(dataset.split("train").n == 3);
  CHECK(classes_of(dataset, "test") == Texts{"002.Bird", "004.Bird"});
  CHECK(dataset.split("test").targets == Targets{{1, 1, 3, 6}, {1, 1, 5, 6}});
  CHECK(dataset.target_columns[0].name == "box_xmin");
  CHECK(dataset.target_columns[0].mirror == "box_xmax");
  using Labels = std::vector<int64_t>;
  CHECK(dataset.class_splits ==
        std::map<std::string, Labels>{{"base", {0, 2, 4}}, {"validation", {1}}, {"novel", {3}}});
}

TEST_CASE("CUB-200-2011's parts are points, and whether they are seen attributes", "[data][official]") {
  std::string parts;
  for (int id = 1; id <= 2; ++id) {
    for (int part = 1; part <= 15; ++part) {
      parts += fmt::format("{} {} {}.0 5.0 {}\n", id, part, 2 * id, (id + part) % 2);
    }
  }
  const Dataset dataset = load(shipped("cub200-parts", 2), {{"images/001.Bird/a.jpg", picture(1)},
                                                            {"images/002.Bird/b.jpg", picture(2)},
                                                            {"images.txt", "1 001.Bird/a.jpg\n2 002.Bird/b.jpg\n"},
                                                            {"train_test_split.txt", "1 1\n2 0\n"},
                                                            {"parts/part_locs.txt", parts}});
  const auto value = [&](const std::string& split, const std::string& name) {
    const auto at = std::find(dataset.target_names.begin(), dataset.target_names.end(), name);
    REQUIRE(at != dataset.target_names.end());
    return dataset.split(split).targets[0][static_cast<size_t>(at - dataset.target_names.begin())];
  };
  CHECK(dataset.target_names.size() == 45);
  CHECK(value("train", "point_7_x") == 1);
  CHECK(value("test", "point_7_x") == 2);
  CHECK(value("test", "point_15_y") == 5);
  CHECK(value("train", "attr_seen_2") == 1);
  CHECK(value("train", "attr_seen_3") == 0);
}

TEST_CASE("300-W has 68 points a face, from folders of its own split", "[data][official]") {
  const auto pts = [](double shift) {
    std::string text = "version: 1\nn_points:  68\n{\n";
    for (int point = 0; point < 68; ++point) text += fmt::format("{} {}\n", point / 4.0 + shift, 5);
    return text + "}\n";
  };
  const Dataset dataset = load(shipped("300w", 0), {{"afw/a_1.jpg", picture(1)},
                                                    {"afw/a_1.pts", pts(0)},
                                                    {"lfpw/trainset/b.png", png(make_image(10, 20, 2))},
                                                    {"lfpw/trainset/b.pts", pts(1)},
                                                    {"ibug/c.jpg", picture(3)},
                                                    {"ibug/c.pts", pts(2)},
                                                    {"helen/testset/d.jpg", picture(4)},
                                                    {"helen/testset/d.pts", pts(3)}});
  CHECK(dataset.split("train").names == Texts{"afw/a_1.jpg", "lfpw/trainset/b.png"});
  CHECK(dataset.split("test").names == Texts{"helen/testset/d.jpg", "ibug/c.jpg"});
  REQUIRE(dataset.target_columns.size() == 136);
  CHECK(dataset.split("train").targets[1][2 * 4] == 1.0);  // point 4 is at x = 2 of 20
  CHECK(dataset.split("train").targets[1][2 * 4 + 1] == 5.0);
}

TEST_CASE("Leeds Sports Pose and its extended set have their joints from either shape", "[data][official]") {
  Files files;
  for (int n = 1; n <= 4; ++n) files.emplace_back(fmt::format("images/im{:04}.jpg", n), picture(n));
  for (int n = 1; n <= 4; ++n) files.emplace_back(fmt::format("images/im{:05}.jpg", n), picture(n));
  for (const auto& [name, mat] : {std::pair{"lsp", "joints-3x14.mat"}, {"lsp-extended", "joints-14x3.mat"}}) {
    CAPTURE(name);
    Manifest manifest = shipped(name, 0);
    manifest.splits[0].last_row = 3;
    manifest.splits[1].first_row = 4;
    Files all = files;
    all.emplace_back("joints.mat", golden(mat));
    const Dataset dataset = load(manifest, all);
    // A joint of the extended set's picture 2 was not annotated; those of the other are, seen or hidden.
    const bool is_extended = std::string(name) == "lsp-extended";
    const Texts train = is_extended ? Texts{"images/im00001.jpg", "images/im00003.jpg"}
                                    : Texts{"images/im0001.jpg", "images/im0002.jpg", "images/im0003.jpg"};
    CHECK(dataset.split("train").names == train);
    REQUIRE(dataset.split("test").n == 1);
    const std::vector<double>& joints = dataset.split("test").targets[0];
    REQUIRE(joints.size() == 28);
    for (size_t joint = 0; joint < 14; ++joint) {
      CHECK(joints[2 * joint] == (400.0 + static_cast<double>(joint)) / 2);
      CHECK(joints[2 * joint + 1] == 400.5 + static_cast<double>(joint));
    }
    CHECK(dataset.target_columns[0].name == "point_right_ankle_x");
    CHECK(dataset.target_columns[0].mirror == "point_left_ankle_x");
  }
}

TEST_CASE("CelebA has its partition, landmarks and attributes", "[data][official]") {
  std::string header;
  for (int n = 0; n < 40; ++n) header += fmt::format("Name{} ", n);
  const auto attributes = [](int n) {
    std::string line = fmt::format("00000{}.jpg", n);
    for (int a = 0; a < 40; ++a) line += a % n == 0 ? "  1" : " -1";
    return line + "\n";
  };
  const Manifest manifest = shipped("celeba", 0);
  Files lists{
      {"list_eval_partition.txt", "000001.jpg 0\n000002.jpg 2\n000003.jpg 1\n"},
      {"list_attr_celeba.txt", "3\n" + header + "\n" + attributes(1) + attributes(2) + attributes(3)},
      {"list_landmarks_align_celeba.txt",
       "3\nlefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y\n"
       "000001.jpg  4    1  10  1   6    5    4   8   9    8\n"
       "000002.jpg  2    1  10  1   6    5    4   8   9    8\n"
       "000003.jpg  6    1  10  1   6    5    4   8   9    8\n"}};
  const Files pictures{{"000001.jpg", picture(1)}, {"000002.jpg", picture(2)}, {"000003.jpg", picture(3)}};
  Files unpacked = lists;
  for (const auto& [name, bytes] : pictures) unpacked.emplace_back("img_align_celeba/" + name, bytes);
  const Dataset dataset = load(manifest, unpacked);
  REQUIRE(dataset.target_names.size() == 10 + 40);
  CHECK(dataset.target_names[2] == "point_righteye_x");
  CHECK(dataset.target_names[10 + 20] == "attr_Male");
  const std::vector<double>& test = dataset.split("test").targets[0];
  CHECK(std::vector(test.begin(), test.begin() + 10) == std::vector<double>{1, 1, 5, 1, 3, 5, 2, 8, 4.5, 8});
  for (size_t a = 0; a < 40; ++a) CHECK(test[10 + a] == (a % 2 == 0 ? 1 : 0));

  // The pictures' own archive, as it is downloaded.
  const Copy zipped(manifest, lists);
  Files inside;
  for (const auto& [name, bytes] : pictures) inside.emplace_back("img_align_celeba/" + name, bytes);
  write_archive(zipped.path() / "img_align_celeba.zip", inside);
  CHECK(zipped.load().split("validation").targets == dataset.split("validation").targets);
}

TEST_CASE("FC100 splits CIFAR-100's classes by superclass", "[data][official]") {
  const Manifest manifest = shipped("fc100", 100);
  std::string records;
  for (int n = 0; n < 3; ++n)
    records += std::string{static_cast<char>(n), static_cast<char>(n)} + std::string(3072, 'x');
  Manifest unchecked = manifest;
  for (SplitManifest& split : unchecked.splits) split.checksum.clear();
  const Dataset dataset = load(unchecked, {{"train.bin", records}, {"test.bin", records}});
  CHECK(dataset.class_splits.at("base").size() == 60);
  CHECK(dataset.class_splits.at("validation").size() == 20);
  const std::vector<int64_t>& novel = dataset.class_splits.at("novel");
  REQUIRE(novel.size() == 20);
  Texts names;
  for (const int64_t label : novel) names.push_back(dataset.classes[static_cast<size_t>(label)]);
  // Aquatic mammals, insects, medium-sized mammals and people.
  CHECK(names == Texts{"baby",      "beaver",  "bee",  "beetle", "boy",   "butterfly", "caterpillar",
                       "cockroach", "dolphin", "fox",  "girl",   "man",   "otter",     "porcupine",
                       "possum",    "raccoon", "seal", "skunk",  "whale", "woman"});
}

TEST_CASE("plant diseases are class folders, dealt out, and all novel", "[data][official]") {
  Manifest manifest = shipped("plant-disease", 2);
  manifest.splits[0].per_class = 1;
  const Dataset dataset = load(manifest, {{"color/Apple___scab/a b.JPG", picture(1)},
                                          {"color/Corn_(maize)___healthy/x.jpg", picture(2)},
                                          {"color/Apple___scab/c.JPG", picture(3)}});
  CHECK(dataset.classes == Texts{"Apple___scab", "Corn_(maize)___healthy"});
  CHECK(classes_of(dataset, "train") == dataset.classes);
  CHECK(classes_of(dataset, "test") == Texts{"Apple___scab"});
  CHECK(dataset.class_splits.at("novel") == std::vector<int64_t>{0, 1});
}

TEST_CASE("Omniglot's characters are classes, background to learn from and evaluation novel", "[data][official]") {
  const std::string small = png(make_image(10, 10, 1));
  const Manifest manifest = shipped("omniglot", 3);
  const Copy zipped(manifest, {});
  write_archive(zipped.path() / "images_background.zip", {{"images_background/Greek/character01/0001_01.png", small},
                                                          {"images_background/Greek/character02/0002_01.png", small}});
  write_archive(zipped.path() / "images_evaluation.zip", {{"images_evaluation/Elvish/character01/0003_01.png", small}});
  const Dataset dataset = zipped.load();
  CHECK(dataset.classes == Texts{"Elvish/character01", "Greek/character01", "Greek/character02"});
  CHECK(dataset.split("train").labels == std::vector<int64_t>{1, 2});
  CHECK(dataset.class_splits.at("novel") == std::vector<int64_t>{0});
  CHECK(dataset.class_splits.at("base") == std::vector<int64_t>{1, 2});
  CHECK(load(manifest, {{"images_background/Greek/character01/0001_01.png", small},
                        {"images_background/Greek/character02/0002_01.png", small},
                        {"images_evaluation/Elvish/character01/0003_01.png", small}})
            .split("train")
            .labels == dataset.split("train").labels);
}

TEST_CASE("shards in WebDataset's layout need no reader of their own", "[data][official]") {
  Manifest manifest;
  manifest.name = "shards";
  manifest.kind = DatasetKind::kTable;
  manifest.classes = 2;
  manifest.class_names = {"0", "1"};
  manifest.archives_inside = io::InnerArchives::kFolders;
  const auto tables = [](const std::string& split) -> std::vector<TableManifest> {
    return {{.files = {split + "/{shard}/{key}.jpg"}, .format = TableFormat::kPictures},
            {.files = {split + "/{shard}/{key}.cls"}, .format = TableFormat::kText, .columns = {"class"}},
            {.files = {split + "/{shard}/{key}.json"}, .format = TableFormat::kJson}};
  };
  manifest.splits = {{.name = "train", .tables = tables("train")}, {.name = "test", .tables = tables("test")}};
  const auto json = [](int x) { return fmt::format(R"({{"target_x": {}, "attr_old": {}}})", x, x > 5); };
  const Copy copy(manifest, {});
  write_archive(copy.path() / "train/shard-000000.tar",
                {{"k0.jpg", picture(1)}, {"k0.cls", "1"}, {"k0.json", json(4)}});
  write_archive(copy.path() / "train/shard-000001.tar",
                {{"k0.cls", "0\n"}, {"k0.jpg", picture(2)}, {"k0.json", json(8)}});
  write_archive(copy.path() / "test/shard-000000.tar", {{"k9.jpg", picture(3)}, {"k9.cls", "1"}, {"k9.json", json(2)}});
  const Dataset dataset = copy.load();
  CHECK(dataset.split("train").names == Texts{"train/shard-000000/k0.jpg", "train/shard-000001/k0.jpg"});
  CHECK(dataset.split("train").labels == std::vector<int64_t>{1, 0});
  CHECK(dataset.target_names == Texts{"target_x", "attr_old"});
  CHECK(dataset.split("train").targets == Targets{{2, 0}, {4, 1}});
}

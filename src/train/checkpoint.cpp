#include "train/checkpoint.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "io/safetensors.hpp"
#include "train/tensor_file.hpp"

namespace invaria::train {
namespace {

constexpr const char* kLogPrefix = "log/";
constexpr const char* kContentHash = "content_hash";
constexpr const char* kLogTexts = "log_texts";  // text columns travel in the metadata, as JSON

/// A log column as a tensor that owns a copy.
at::Tensor column_tensor(const io::Cells& cells) {
  if (const auto* doubles = std::get_if<std::vector<double>>(&cells)) return at::tensor(*doubles, at::kDouble);
  return at::tensor(std::get<std::vector<int64_t>>(cells), at::kLong);
}

/// SHA-256 over everything that a checkpoint file holds, in order of name.
std::string content_hash(const std::map<std::string, std::string>& metadata, std::vector<io::TensorView> views) {
  Sha256 hash;
  for (const auto& [key, text] : metadata) {
    if (key != kContentHash) hash.update(fmt::format("{}\t{}\n", key, text));
  }
  std::sort(views.begin(), views.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const io::TensorView& view : views) {
    hash.update(fmt::format("{}\t{}\t[{}]\n", view.name, io::name_of(view.dtype), fmt::join(view.shape, ",")));
    hash.update(view.bytes);
  }
  return hash.hex();
}

/// A damaged checkpoint is the user's to remove.
template <class Read>
auto read_or_say_how_to_mend(const io::fs::path& path, Read read) {
  try {
    return read();
  } catch (const ConfigError& error) {
    throw_config(
        "{}\nThe checkpoint is damaged. Delete {} and start again: its encoder is then pretrained from the beginning, "
        "and comes out equal on as many ranks as before.",
        error.what(), path.string());
  }
}

template <class T>
std::vector<T> copy_values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), tensor.const_data_ptr<T>() + tensor.numel()};
}

}  // namespace

void write_checkpoint(const io::fs::path& path, const Checkpoint& checkpoint) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) tensors.emplace_back(name, tensor.detach().cpu().contiguous());
  std::map<std::string, std::string> metadata = checkpoint.metadata;
  config::json::array columns;
  for (const io::Column& column : checkpoint.log.columns()) {
    config::json::object described{{"name", column.name}, {"units", column.units}, {"long_name", column.long_name}};
    if (const auto* texts = std::get_if<std::vector<std::string>>(&column.cells)) {
      described["texts"] = config::write(*texts);
    } else {
      tensors.emplace_back(kLogPrefix + column.name, column_tensor(column.cells));
    }
    columns.push_back(described);
  }
  metadata[kLogTexts] = config::json::serialize(columns);

  std::vector<io::TensorView> views;
  for (const auto& [name, tensor] : tensors) views.push_back(view_of(name, tensor));
  metadata[kContentHash] = content_hash(metadata, views);
  io::write_safetensors(path, views, metadata);
}

namespace {

Checkpoint read_whole(const io::fs::path& path) {
  const io::SafetensorsFile file(path);
  Checkpoint checkpoint;
  checkpoint.metadata = file.metadata();
  std::vector<io::TensorView> views;
  for (const std::string& name : file.names()) views.push_back(file.view(name));
  const auto stored_hash = checkpoint.metadata.find(kContentHash);
  if (stored_hash == checkpoint.metadata.end() || stored_hash->second != content_hash(checkpoint.metadata, views)) {
    throw_config("{}: its contents do not have the hash that is stored with them", path.string());
  }
  model::StateDict log_columns;
  for (const std::string& name : file.names()) {
    const io::TensorView& view = file.view(name);
    const at::Tensor tensor = copy_of(view);
    if (name.starts_with(kLogPrefix)) {
      log_columns[name.substr(std::string(kLogPrefix).size())] = tensor;
    } else {
      checkpoint.tensors[name] = tensor;
    }
  }
  const auto described = checkpoint.metadata.find(kLogTexts);
  if (described == checkpoint.metadata.end())
    throw_config("{}: its metadata has no {}: no checkpoint of this program", path.string(), kLogTexts);
  const config::json::value columns = config::parse_text(described->second, path.string());
  for (const config::json::value& entry : columns.as_array()) {
    const config::json::object& column = entry.as_object();
    const std::string name(column.at("name").as_string());
    io::Column filled{
        name, {}, std::string(column.at("units").as_string()), std::string(column.at("long_name").as_string())};
    if (column.contains("texts")) {
      config::Problems problems;
      filled.cells = config::parse<std::vector<std::string>>(column.at("texts"), name, problems);
      problems.throw_if_any(path.string());
    } else {
      const auto found = log_columns.find(name);
      if (found == log_columns.end()) throw_config("{}: log column {} is missing", path.string(), name);
      if (found->second.scalar_type() == at::kDouble) {
        filled.cells = copy_values<double>(found->second);
      } else {
        filled.cells = copy_values<int64_t>(found->second);
      }
    }
    checkpoint.log.add_column(std::move(filled));
  }
  checkpoint.metadata.erase(kLogTexts);
  checkpoint.metadata.erase(kContentHash);
  return checkpoint;
}

}  // namespace

Checkpoint read_checkpoint(const io::fs::path& path) {
  return read_or_say_how_to_mend(path, [&] { return read_whole(path); });
}

CheckpointFolder::CheckpointFolder(const io::fs::path& output, const std::string& encoder_key)
    : folder_(output / "checkpoints" / encoder_key) {}

bool CheckpointFolder::has_state() const {
  return io::fs::exists(state_file());
}

bool CheckpointFolder::has_encoder() const {
  return io::fs::exists(encoder_file());
}

std::optional<config::json::value> CheckpointFolder::identity() const {
  for (const io::fs::path& path : {encoder_file(), state_file()}) {
    if (!io::fs::exists(path)) continue;
    const std::map<std::string, std::string> metadata = read_checkpoint(path).metadata;
    const auto settings = metadata.find("settings");
    if (settings != metadata.end()) return config::parse_text(settings->second, path.string());
  }
  return std::nullopt;
}

}  // namespace invaria::train

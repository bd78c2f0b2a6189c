#include "train/checkpoint.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "io/safetensors.hpp"
#include "train/tensor_file.hpp"

namespace invaria::train {
namespace {

constexpr const char* kContentHash = "content_hash";

/// A table of the checkpoint: its columns of numbers travel as tensors under a prefix, the others, and what columns
/// there are, in the metadata, as JSON.
struct TablePlace {
  const char* prefix;
  const char* columns;
  io::Table Checkpoint::*table;
};
constexpr std::array<TablePlace, 2> kTables{
    {{"log/", "log_texts", &Checkpoint::log}, {"monitor/", "monitor_texts", &Checkpoint::monitor}}};

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
  for (const TablePlace& place : kTables) {
    config::json::array columns;
    for (const io::Column& column : (checkpoint.*place.table).columns()) {
      config::json::object described{{"name", column.name}, {"units", column.units}, {"long_name", column.long_name}};
      if (const auto* texts = std::get_if<std::vector<std::string>>(&column.cells)) {
        described["texts"] = config::write(*texts);
      } else {
        tensors.emplace_back(place.prefix + column.name, column_tensor(column.cells));
      }
      columns.push_back(described);
    }
    metadata[place.columns] = config::json::serialize(columns);
  }

  std::vector<io::TensorView> views;
  for (const auto& [name, tensor] : tensors) views.push_back(view_of(name, tensor));
  metadata[kContentHash] = content_hash(metadata, views);
  io::write_safetensors(path, views, metadata);
}

namespace {

/// One table out of its description in the metadata and its columns of numbers, which are taken out of `tensors`.
io::Table take_table(const TablePlace& place, const std::string& described, model::StateDict& tensors,
                     const std::string& path) {
  io::Table table;
  const config::json::value columns = config::parse_text(described, path);
  for (const config::json::value& entry : columns.as_array()) {
    const config::json::object& column = entry.as_object();
    const std::string name(column.at("name").as_string());
    io::Column filled{
        name, {}, std::string(column.at("units").as_string()), std::string(column.at("long_name").as_string())};
    if (column.contains("texts")) {
      config::Problems problems;
      filled.cells = config::parse<std::vector<std::string>>(column.at("texts"), name, problems);
      problems.throw_if_any(path);
    } else {
      const auto found = tensors.extract(place.prefix + name);
      if (found.empty()) throw_config("{}: column {}{} is missing", path, place.prefix, name);
      const at::ScalarType type = found.mapped().scalar_type();
      if (type == at::kDouble) {
        filled.cells = copy_values<double>(found.mapped());
      } else if (type == at::kLong) {
        filled.cells = copy_values<int64_t>(found.mapped());
      } else {
        throw_config("{}: column {}{} holds {}, expected F64 or I64", path, place.prefix, name, at::toString(type));
      }
    }
    const bool fits = table.columns().empty() || io::size_of(filled.cells) == table.rows();
    if (name.empty() || table.contains(name) || !fits)
      throw_config("{}: column {}{} has no name, another one's, or another length", path, place.prefix, name);
    table.add_column(std::move(filled));
  }
  return table;
}

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
  checkpoint.metadata.erase(stored_hash);
  for (const std::string& name : file.names()) checkpoint.tensors[name] = copy_of(file.view(name));
  for (const TablePlace& place : kTables) {
    const auto described = checkpoint.metadata.extract(place.columns);
    if (described.empty())
      throw_config("{}: its metadata has no {}: no checkpoint of this program", path.string(), place.columns);
    try {
      checkpoint.*place.table = take_table(place, described.mapped(), checkpoint.tensors, path.string());
    } catch (const boost::system::system_error& error) {  // a member that is missing or of another kind
      throw_config("{}: its metadata's {} is no list of columns: {}", path.string(), place.columns, error.what());
    }
  }
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

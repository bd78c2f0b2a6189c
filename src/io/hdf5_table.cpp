#include "io/hdf5_table.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "core/errors.hpp"
#include "io/hdf5_check.hpp"

namespace invaria::io {
namespace {

void describe_column(hid_t dataset, const Column& column) {
  if (!column.units.empty()) write_attribute(dataset, "units", column.units);
  if (!column.long_name.empty()) write_attribute(dataset, "long_name", column.long_name);
}

DataSetHandle write_column(hid_t group, const Column& column) {
  DataSetHandle dataset = std::visit(
      [&]<class T>(const std::vector<T>& cells) {
        if constexpr (std::is_same_v<T, std::string>) {
          return write_dataset(group, column.name, cells);
        } else {
          return write_dataset(group, column.name, cells, {static_cast<int64_t>(cells.size())});
        }
      },
      column.cells);
  describe_column(dataset.get(), column);
  return dataset;
}

std::string text_or_empty(hid_t object, const char* name) {
  return has_attribute(object, name) ? read_text_attribute(object, name) : "";
}

/// A data set flattened in row-major order.
Column read_column(hid_t dataset, const std::string& name) {
  Column column{name, {}, text_or_empty(dataset, "units"), text_or_empty(dataset, "long_name")};
  switch (element_kind(dataset)) {
    case ElementKind::kDouble:
      column.cells = read_doubles(dataset);
      break;
    case ElementKind::kInteger:
      column.cells = read_integers(dataset);
      break;
    case ElementKind::kText:
      column.cells = read_texts(dataset);
      break;
  }
  return column;
}

template <class T>
constexpr T kAbsent = std::is_same_v<T, double> ? std::numeric_limits<T>::quiet_NaN() : T{};

bool is_absent(double value) {
  return std::isnan(value);
}
bool is_absent(int64_t value) {
  return value == 0;
}
bool is_absent(const std::string& text) {
  return text.empty();
}

/// For each array element whether any column has a value there.
std::vector<bool> present_elements(const std::vector<Column>& arrays) {
  std::vector<bool> present(static_cast<size_t>(size_of(arrays.front().cells)), false);
  for (const Column& array : arrays) {
    std::visit(
        [&](const auto& cells) {
          for (size_t n = 0; n < cells.size(); ++n) present[n] = present[n] || !is_absent(cells[n]);
        },
        array.cells);
  }
  return present;
}

/// The long table of arrays that share dimensions.
Table unfold(const std::vector<std::string>& keys, const std::vector<std::vector<std::string>>& labels,
             const std::vector<Column>& arrays) {
  const std::vector<bool> present = present_elements(arrays);
  std::vector<int64_t> elements;
  for (size_t n = 0; n < present.size(); ++n) {
    if (present[n]) elements.push_back(static_cast<int64_t>(n));
  }
  Table table;
  int64_t stride = static_cast<int64_t>(present.size());
  for (size_t k = 0; k < keys.size(); ++k) {
    const auto extent = static_cast<int64_t>(labels[k].size());
    stride /= std::max<int64_t>(extent, 1);
    std::vector<std::string> cells;
    for (const int64_t n : elements) cells.push_back(labels[k][static_cast<size_t>(n / stride % extent)]);
    table.add_column({keys[k], std::move(cells), "", ""});
  }
  const Table values = Table(arrays).select(elements);
  for (const Column& column : values.columns()) table.add_column(column);
  return table;
}

}  // namespace

const Scales::Scale& Scales::find(const std::string& name) const {
  const auto found = scales_.find(name);
  require(found != scales_.end(), "no dimension scale \"{}\"", name);
  return found->second;
}

void Scales::put(const std::string& name, const std::string& long_name, Scale scale) {
  write_attribute(scale.dataset.get(), "long_name", long_name);
  make_scale(scale.dataset.get(), name);
  require(scales_.emplace(name, std::move(scale)).second, "two dimension scales \"{}\"", name);
}

void Scales::add(const std::string& name, const std::vector<std::string>& labels, const std::string& long_name) {
  Scale scale{write_dataset(file_, name, labels), static_cast<int64_t>(labels.size()), {}};
  for (size_t n = 0; n < labels.size(); ++n) scale.index.emplace(labels[n], static_cast<int64_t>(n));
  put(name, long_name, std::move(scale));
}

void Scales::add(const std::string& name, int64_t count, const std::string& long_name) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  put(name, long_name, {write_dataset(file_, name, numbers, {count}), count, {}});
}

hid_t Scales::at(const std::string& name) const {
  return find(name).dataset.get();
}
int64_t Scales::size(const std::string& name) const {
  return find(name).size;
}

int64_t Scales::index(const std::string& name, const std::string& label) const {
  const Scale& scale = find(name);
  const auto found = scale.index.find(label);
  require(found != scale.index.end(), "the dimension \"{}\" has no \"{}\"", name, label);
  return found->second;
}

void write_table(hid_t group, const Table& table, hid_t scale) {
  for (const Column& column : table.columns()) attach_scale(write_column(group, column).get(), scale, 0);
}

void write_table(hid_t group, const Table& table, const std::string& dimension) {
  const DataSetHandle scale = write_column(group, table.column(dimension));
  make_scale(scale.get(), dimension);
  for (const Column& column : table.columns()) {
    if (column.name != dimension) attach_scale(write_column(group, column).get(), scale.get(), 0);
  }
}

Table read_table(hid_t group) {
  Table table;
  for (const std::string& name : members(group)) {
    const DataSetHandle dataset = open_dataset(group, name);
    const std::vector<int64_t> shape = shape_of(dataset.get());
    if (shape.size() != 1 || (table.rows() != shape[0] && !table.columns().empty())) {
      throw_environment("{}: shape [{}], expected a column of {} cells", hdf5::describe(dataset.get()),
                        fmt::join(shape, ", "),
                        table.columns().empty() ? "any number of" : std::to_string(table.rows()));
    }
    table.add_column(read_column(dataset.get(), name));
  }
  return table;
}

std::vector<std::string> key_columns(const Table& table) {
  std::vector<std::string> keys;
  for (const Column& column : table.columns()) {
    if (std::holds_alternative<std::vector<std::string>>(column.cells)) keys.push_back(column.name);
  }
  return keys;
}

void write_arrays(hid_t group, const Table& table, const Scales& scales) {
  const std::vector<std::string> keys = key_columns(table);
  std::vector<int64_t> shape;
  for (const std::string& key : keys) shape.push_back(scales.size(key));
  std::vector<size_t> element(static_cast<size_t>(table.rows()), 0);
  for (const std::string& key : keys) {
    const std::vector<std::string>& labels = table.texts(key);
    for (size_t row = 0; row < element.size(); ++row) {
      element[row] =
          element[row] * static_cast<size_t>(scales.size(key)) + static_cast<size_t>(scales.index(key, labels[row]));
    }
  }
  const auto count = static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  const auto write = [&]<class T>(const Column& column, const std::vector<T>& cells) {
    if constexpr (!std::is_same_v<T, std::string>) {
      std::vector<T> array(count, kAbsent<T>);
      for (size_t row = 0; row < element.size(); ++row) array[element[row]] = cells[row];
      const DataSetHandle dataset = write_dataset(group, column.name, array, shape);
      describe_column(dataset.get(), column);
      for (size_t k = 0; k < keys.size(); ++k) {
        attach_scale(dataset.get(), scales.at(keys[k]), static_cast<int64_t>(k));
      }
    }
  };
  for (const Column& column : table.columns()) {
    std::visit([&](const auto& cells) { write(column, cells); }, column.cells);
  }
}

std::vector<Table> read_arrays(hid_t group, hid_t file) {
  std::map<std::vector<std::string>, std::vector<Column>> by_dimensions;
  std::map<std::string, std::vector<std::string>> labels;
  for (const std::string& name : members(group)) {
    if (is_group(group, name)) continue;
    const DataSetHandle dataset = open_dataset(group, name);
    const std::vector<std::string> keys = attached_scales(dataset.get());
    const bool labelled = !keys.empty() && std::find(keys.begin(), keys.end(), "") == keys.end();
    if (!labelled) continue;
    for (const std::string& key : keys) {
      if (!labels.contains(key)) labels[key] = read_texts(open_dataset(file, key).get());
    }
    by_dimensions[keys].push_back(read_column(dataset.get(), name));
  }
  std::vector<Table> tables;
  for (const auto& [keys, arrays] : by_dimensions) {
    std::vector<std::vector<std::string>> key_labels;
    int64_t count = 1;
    for (const std::string& key : keys) {
      key_labels.push_back(labels[key]);
      count *= static_cast<int64_t>(key_labels.back().size());
    }
    for (const Column& array : arrays) {
      if (size_of(array.cells) != count) {
        throw_environment("{}/{}: {} elements over dimensions of {}", hdf5::describe(group), array.name,
                          size_of(array.cells), count);
      }
    }
    tables.push_back(unfold(keys, key_labels, arrays));
  }
  return tables;
}

}  // namespace invaria::io

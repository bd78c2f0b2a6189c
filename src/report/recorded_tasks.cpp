#include "report/recorded_tasks.hpp"

#include <boost/json.hpp>

namespace invaria::report {

std::map<std::string, boost::json::value> recorded_tasks(const std::string& settings) {
  std::map<std::string, boost::json::value> tasks;
  boost::system::error_code unread;
  const boost::json::value suite = boost::json::parse(settings, unread);
  const boost::json::value* const list = suite.find_pointer("/tasks", unread);
  if (list == nullptr || !list->is_array()) return tasks;
  for (const boost::json::value& task : list->get_array()) {
    const boost::json::value* const name = task.find_pointer("/name", unread);
    if (name != nullptr && name->is_string()) tasks.emplace(name->get_string(), task);
  }
  return tasks;
}

}  // namespace invaria::report

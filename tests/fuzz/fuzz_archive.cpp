#include "io/archive.hpp"
#include "tests/fuzz/target.hpp"

using namespace invaria;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryFile file(data, size);
  const auto must_stay_inside = [](const std::string& name) {
    require(!name.empty() && !name.starts_with('/') && ("/" + name + "/").find("/../") == std::string::npos,
            "{} leads out", name);
  };
  for (const io::InnerArchives inner : {io::InnerArchives::kFiles, io::InnerArchives::kFolders}) {
    fuzz::try_to([&] {
      for (const io::ArchiveEntry& entry : io::list_entries(file.path(), inner)) must_stay_inside(entry.name);
    });
    fuzz::try_to([&] {
      io::for_each_entry(file.path(), inner, [&](const std::string& name, std::string&) { must_stay_inside(name); });
    });
  }
  return 0;
}

// The assembler copies the files in; paths come from CMakeLists.txt.
#include "report/page/embedded.hpp"

// clang-format off
#define INVARIA_EMBED(name, path)                                             \
  asm(".pushsection .rodata\n"                                                \
      ".local invaria_embedded_" #name "\n"                                   \
      "invaria_embedded_" #name ": .incbin \"" path "\"\n"                    \
      ".local invaria_embedded_" #name "_end\n"                               \
      "invaria_embedded_" #name "_end: .byte 0\n"                             \
      ".popsection\n");                                                       \
  extern "C" const char invaria_embedded_##name[];                            \
  extern "C" const char invaria_embedded_##name##_end[];                      \
  std::string_view invaria::report::embedded::name() {                        \
    return {invaria_embedded_##name, invaria_embedded_##name##_end};          \
  }
// clang-format on

INVARIA_EMBED(style, INVARIA_PAGE_DIR "/page.css")
INVARIA_EMBED(script, INVARIA_PAGE_DIR "/page.js")
INVARIA_EMBED(notice, INVARIA_PAGE_DIR "/notice.txt")
INVARIA_EMBED(vega, INVARIA_VEGA_DIR "/vega-5.21.0.js")
INVARIA_EMBED(vega_lite, INVARIA_VEGA_DIR "/vega-lite-4.17.0.js")
INVARIA_EMBED(vega_embed, INVARIA_VEGA_DIR "/vega-embed-6.20.0.js")
INVARIA_EMBED(licence, INVARIA_VEGA_LICENCE)

#include "app/app.hpp"

int main(int argc, char** argv) {
  return invaria::app::main(argc, argv);
}

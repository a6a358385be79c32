// What a source is by default: rows of other people.
#include "store/source.h"

namespace tidemark {

const SystemColumns& Source::system_columns() const {
  static const SystemColumns none;
  return none;
}

}  // namespace tidemark

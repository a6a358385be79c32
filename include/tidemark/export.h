// Marks what libtidemark.so shows to the outside; everything else stays hidden.
#pragma once

#define TIDEMARK_EXPORT __attribute__((visibility("default")))

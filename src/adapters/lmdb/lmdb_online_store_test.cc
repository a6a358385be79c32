// Goal: the LMDB store conforms.
#include "adapters/lmdb/lmdb_online_store.h"

#include <gtest/gtest.h>

#include "store/online_store_testing.h"

namespace tidemark::testing_support {
namespace {

INSTANTIATE_TEST_SUITE_P(Lmdb, OnlineStoreConformance,
                         testing::Values(OnlineStoreFactory{"large_map",
                                                            [](const std::string& folder) {
                                                              return OpenLmdbOnlineStore({.folder = folder});
                                                            }},
                                         OnlineStoreFactory{"growing_map",
                                                            [](const std::string& folder) {
                                                              return OpenLmdbOnlineStore(
                                                                  {.folder = folder,
                                                                   .map_bytes_max = std::int64_t{1} << 30,
                                                                   .map_bytes_initial = 1,
                                                                   .readers_max = 4});
                                                            }}),
                         [](const auto& factory) { return factory.param.name; });

}  // namespace
}  // namespace tidemark::testing_support

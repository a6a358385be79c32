// The settings of a folder that was made for Feast: feature_store.yaml, where there is no tidemark.yaml.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "wiring/config.h"

namespace tidemark {

inline constexpr std::string_view kFeastConfigFile = "feature_store.yaml";

/// Reads the text of a feature_store.yaml into `config`, which has the defaults: the project's name is taken.
/// The local registry, online store and offline store that it may name are replaced by ours, in folders of
/// ours: what Feast has written is neither read nor changed. Settings that only say how Feast does its work
/// are passed over. kUnsupported names the setting that asks for a store, provider or service that is not
/// local; kInvalidArgument one that is unknown, or no YAML.
Result<void> ApplyFeastConfig(std::string_view yaml, Config& config);

}  // namespace tidemark

// A group's definition as requests state it, turned into a view and its tags, and changed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/definition.h"
#include "server/sagemaker/control_fields.h"
#include "server/sagemaker/groups.h"

namespace tidemark::sagemaker {

struct GroupDefinition {
  FeatureView view;  // without its entity
  std::vector<Feature> features;
  std::size_t identifier = 0;
  std::string s3_uri;  // of the offline store; empty: none
};

/// Reads and checks CreateFeatureGroup.
Answer<GroupDefinition> ReadGroupDefinition(const Fields& fields);

/// ThroughputConfig, checked, as JSON.
Answer<std::string> ReadThroughput(const Fields& config);

/// The view of a group, with what SageMaker says of it written down even if it was made elsewhere.
Answer<FeatureView> Adopted(const OpenGroup& group);
Answer<void> ChangeOnlineStore(const Group& group, const Fields& config, FeatureView& view);
Answer<void> AddFeatures(const Group& group, const std::vector<Fields>& additions, FeatureView& view);

/// What is said of one feature. Identifier and event time are no fields of a view: what is said of them is in
/// its tags.
struct FeatureNotes {
  std::string description;
  std::map<std::string, std::string> parameters;
  std::int64_t modified_us = 0;  // 0: never
};
FeatureNotes NotesOf(const FeatureView& view, const Feature& feature);
void SetNotes(const FeatureNotes& notes, const Feature& feature, FeatureView& view);

/// `[{"FeatureName": ..., "FeatureType": ...}]`.
std::string DefinitionsJson(const std::vector<Feature>& features);

}  // namespace tidemark::sagemaker

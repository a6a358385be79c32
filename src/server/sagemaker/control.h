// The control plane API: feature groups made, described, listed, changed and deleted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "model/definition.h"
#include "server/http/message.h"
#include "server/sagemaker/control_fields.h"
#include "server/sagemaker/done_requests.h"
#include "server/sagemaker/groups.h"
#include "server/sagemaker/settings.h"

namespace tidemark::sagemaker {

/// Thread safe; changes are made one after the other.
class Control {
 public:
  Control(Groups& groups, Settings settings, std::size_t json_depth_max);

  /// Answers `X-Amz-Target: SageMaker.<Operation>`.
  Answer<void> Call(const http::Request& request, http::Response& response);

 private:
  using Project = std::string_view;
  using Operation = Answer<std::string> (Control::*)(Project, const Fields&);
  struct Known {
    Operation run;
    http::Scope scope;
  };

  Answer<std::string> CreateFeatureGroup(Project project, const Fields& fields);
  Answer<std::string> DescribeFeatureGroup(Project project, const Fields& fields);
  Answer<std::string> ListFeatureGroups(Project project, const Fields& fields);
  Answer<std::string> UpdateFeatureGroup(Project project, const Fields& fields);
  Answer<std::string> DeleteFeatureGroup(Project project, const Fields& fields);
  Answer<std::string> DescribeFeatureMetadata(Project project, const Fields& fields);
  Answer<std::string> UpdateFeatureMetadata(Project project, const Fields& fields);
  Answer<std::string> ListTags(Project project, const Fields& fields);
  Answer<std::string> AddTags(Project project, const Fields& fields);
  Answer<std::string> DeleteTags(Project project, const Fields& fields);
  Answer<std::string> Search(Project project, const Fields& fields);

  Answer<GroupPointer> Find(Project project, const Fields& fields, std::string_view member);
  /// Changes the view of a group in the registry.
  Answer<void> Change(Project project, FeatureView view);
  Answer<void> Refresh(Project project);
  std::string ArnOf(const Group& group) const;
  /// What Describe says of a group, as JSON.
  Answer<std::string> Description(const OpenGroup& group) const;
  Answer<std::string> FeatureDescription(const OpenGroup& group, const Feature& feature) const;
  Answer<void> CheckS3Uri(Project project, const std::string& uri) const;

  Groups& groups_;
  const Settings settings_;
  const std::size_t depth_max_;
  std::mutex changing_;  // one change of definitions at a time
  DoneRequests done_;    // changes
  static const std::map<std::string_view, Known> kOperations;
};

}  // namespace tidemark::sagemaker

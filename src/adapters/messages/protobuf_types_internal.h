// The description of one type of Protobuf messages, read from a file.
#pragma once

#include <google/protobuf/descriptor.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace tidemark::messages {

/// Descriptors, and what they live in.
class ProtobufTypes {
 public:
  /// Of `name` (with its package) by a `.proto` file, or else by a file that holds a FileDescriptorSet. What
  /// a .proto file imports is looked for in its own folder and in `folder`, the types of Google's that come
  /// with the library in that. kInvalidArgument for what cannot be read, naming the line.
  static Result<std::unique_ptr<ProtobufTypes>> Read(const std::filesystem::path& file,
                                                     const std::string& name,
                                                     const std::filesystem::path& folder);
  virtual ~ProtobufTypes() = default;

  const google::protobuf::Descriptor& message() const { return *message_; }

 protected:
  const google::protobuf::Descriptor* message_ = nullptr;
};

}  // namespace tidemark::messages

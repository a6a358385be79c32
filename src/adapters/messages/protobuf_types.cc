// Descriptors are built when they are asked for, so a file's errors come with its message.
#include "adapters/messages/protobuf_types_internal.h"

#include <fmt/format.h>
#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "model/name.h"

namespace tidemark::messages {
namespace {

namespace pb = google::protobuf;

/// Keeps the first error.
class FirstError final : public pb::compiler::MultiFileErrorCollector,
                         public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& filename, int line, int /*column*/, const std::string& message) override {
    Keep(line < 0 ? filename : fmt::format("{}, line {}", filename, line + 1), message);
  }
  void AddError(const std::string& filename, const std::string& element, const pb::Message* /*descriptor*/,
                ErrorLocation /*location*/, const std::string& message) override {
    Keep(fmt::format("{}, {}", filename, element), message);
  }
  void AddWarning(const std::string& /*filename*/, int /*line*/, int /*column*/,
                  const std::string& /*message*/) override {}
  void AddWarning(const std::string& /*filename*/, const std::string& /*element*/,
                  const pb::Message* /*descriptor*/, ErrorLocation /*location*/,
                  const std::string& /*message*/) override {}

  const std::string& text() const { return text_; }

 private:
  void Keep(const std::string& place, const std::string& message) {
    if (text_.empty()) text_ = fmt::format("{}: {}", place, message);
  }
  std::string text_;
};

std::unexpected<Error> NoSuchMessage(const std::filesystem::path& file, const std::string& name,
                                     const std::string& why) {
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("proto_path {} does not describe the message {}{}", Quoted(file.native()), Quoted(name),
                  why.empty() ? ": class_path is its name with its package" : ": " + why));
}

class TypesOfSource final : public ProtobufTypes {
 public:
  TypesOfSource(const std::filesystem::path& file, const std::filesystem::path& folder)
      : known_(*pb::DescriptorPool::generated_pool()),
        database_(&tree_, &known_),
        pool_(&database_, database_.GetValidationErrorCollector()) {
    tree_.MapPath("", file.parent_path().native());
    tree_.MapPath("", folder.native());
    database_.RecordErrorsTo(&errors_);
  }

  Result<void> Find(const std::filesystem::path& file, const std::string& name) {
    if (pool_.FindFileByName(file.filename().native()) != nullptr)
      message_ = pool_.FindMessageTypeByName(name);
    if (message_ != nullptr) return {};
    return NoSuchMessage(file, name, errors_.text());
  }

 private:
  FirstError errors_;
  pb::compiler::DiskSourceTree tree_;
  pb::DescriptorPoolDatabase known_;
  pb::compiler::SourceTreeDescriptorDatabase database_;
  pb::DescriptorPool pool_;
};

class TypesOfSet final : public ProtobufTypes {
 public:
  TypesOfSet()
      : known_(*pb::DescriptorPool::generated_pool()),
        database_(&set_, &known_),
        pool_(&database_, &errors_) {}

  Result<void> Find(const std::filesystem::path& file, const std::string& name) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    pb::FileDescriptorSet files;
    if (!in || !files.ParseFromString(bytes)) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("proto_path {} is no .proto file, nor a file with a FileDescriptorSet, as `protoc "
                      "--descriptor_set_out` writes it",
                      Quoted(file.native())));
    }
    for (const pb::FileDescriptorProto& described : files.file()) {
      if (!set_.Add(described))
        return NoSuchMessage(file, name, fmt::format("{} is described twice", Quoted(described.name())));
    }
    message_ = pool_.FindMessageTypeByName(name);
    if (message_ != nullptr) return {};
    return NoSuchMessage(file, name, errors_.text());
  }

 private:
  FirstError errors_;
  pb::SimpleDescriptorDatabase set_;
  pb::DescriptorPoolDatabase known_;
  pb::MergedDescriptorDatabase database_;
  pb::DescriptorPool pool_;
};

}  // namespace

Result<std::unique_ptr<ProtobufTypes>> ProtobufTypes::Read(const std::filesystem::path& file,
                                                           const std::string& name,
                                                           const std::filesystem::path& folder) {
  if (file.extension() == ".proto") {
    auto types = std::make_unique<TypesOfSource>(file, folder);
    TM_TRY(types->Find(file, name));
    return types;
  }
  auto types = std::make_unique<TypesOfSet>();
  TM_TRY(types->Find(file, name));
  return types;
}

}  // namespace tidemark::messages

// Reads the list of features, asks the store for a reader, and puts together what every answer repeats.
#include "server/feast/prepared_lookup.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "model/feature_ref.h"
#include "model/name.h"
#include "server/json/json_text.h"

namespace tidemark::server::feast {
namespace {

/// `view:feature`, `view@v2:feature`, `view@latest:feature`.
struct Reference {
  std::string view;
  std::string shown_view;  // with its version, as full names have it
  std::string feature;
  std::optional<std::int64_t> version;
};

/// One that does not say a version the way Feast reads it is a part of the name.
void SplitVersion(Reference& reference) {
  const std::size_t at = reference.view.find('@');
  if (at == std::string::npos) return;
  const std::string text = reference.view.substr(at + 1);
  if (!text.empty() && FoldName(text) != "latest") {
    std::int64_t number = 0;
    const bool is_version = (text.front() == 'v' || text.front() == 'V') && text.size() > 1;
    const char* const begin = text.data() + (is_version ? 1 : 0);
    const auto [end, code] = std::from_chars(begin, text.data() + text.size(), number);
    if (!is_version || code != std::errc{} || end != text.data() + text.size() || number < 0) return;
    reference.version = number;
  }
  reference.view.resize(at);
  reference.shown_view =
      reference.version ? fmt::format("{}@v{}", reference.view, *reference.version) : reference.view;
}

Answer<Reference> ReadReference(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    return Refuse(400,
                  fmt::format("Invalid feature reference {}. Expected format: '<feature_view>:<feature>' "
                              "or '<feature_view>@<version>:<feature>'",
                              Quoted(text)));
  }
  Reference reference{.view = std::string(text.substr(0, colon)),
                      .shown_view = std::string(text.substr(0, colon)),
                      .feature = std::string(text.substr(colon + 1)),
                      .version = std::nullopt};
  SplitVersion(reference);
  return reference;
}

Answer<std::vector<Reference>> ReadReferences(std::string_view features) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(simdjson::padded_string(features)).get(list) != simdjson::SUCCESS) {
    return Refuse(422, "\"features\" is not a list of texts");
  }
  std::vector<Reference> references;
  for (const auto each : list) {
    std::string_view text;
    if (each.get(text) != simdjson::SUCCESS) return Refuse(422, "\"features\" is not a list of texts");
    TM_ASSIGN(Reference reference, ReadReference(text));
    references.push_back(std::move(reference));
  }
  if (references.empty()) {
    return Refuse(400, "No features specified for retrieval: give \"features\" or a \"feature_service\"");
  }
  return references;
}

Answer<std::string> ReadService(std::string_view service) {
  simdjson::dom::parser parser;
  std::string_view name;
  if (parser.parse(simdjson::padded_string(service)).get(name) != simdjson::SUCCESS) {
    return Refuse(422, "\"feature_service\" is not a text");
  }
  return std::string(name);
}

/// The version of a view's definition, counted from 0 as Feast counts.
Result<std::int64_t> VersionOf(const Store& store, ObjectType type, std::string_view view) {
  TM_ASSIGN(const std::string text, store.Describe(type, view));
  simdjson::dom::parser parser;
  std::int64_t version = 0;
  if (parser.parse(text)["meta"]["version"].get(version) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kInternal, fmt::format("view {} is described without its version", Quoted(view)));
  }
  return version - 1;
}

/// Prepares one request.
class Preparing {
 public:
  Preparing(std::shared_ptr<Store> store, std::shared_ptr<const KnownDefinitions> definitions)
      : store_(std::move(store)), definitions_(std::move(definitions)) {}

  Answer<void> TakeFeatures(std::string_view features, bool full_feature_names) {
    TM_ASSIGN(const auto references, ReadReferences(features));
    std::set<std::string> names;
    for (const Reference& reference : references) {
      TM_TRY(TakeView(reference.view));
      if (reference.version && *reference.version != versions_.at(reference.view)) {
        return Refuse(400, fmt::format("Version-qualified ref '{}@v{}' not supported: the store serves the "
                                       "present version of a view, which is v{}",
                                       reference.view, *reference.version, versions_.at(reference.view)));
      }
      std::string name = OutputName(reference.shown_view, reference.feature, full_feature_names);
      if (!names.insert(name).second) {
        return RefuseAs(
            400, "FeatureNameCollisionError",
            fmt::format("Duplicate features named {} found.\nTo resolve this collision, either use "
                        "the full feature name by setting 'full_feature_names=True', or ensure "
                        "that the features in question have different names.",
                        name));
      }
      names_.push_back(std::move(name));
      options_.features.push_back(fmt::format("{}:{}", reference.view, reference.feature));
    }
    return {};
  }

  Answer<void> TakeService(const std::string& name) {
    const FeatureService* service = definitions_->Service(name);
    if (service == nullptr) return NoSuchService(name, store_->project());
    for (const ViewSelection& selection : service->views)
      TM_TRY(TakeView(selection.view));
    options_.service = name;
    return {};
  }

  Answer<std::shared_ptr<const PreparedLookup>> Finish(bool full_feature_names) {
    options_.full_feature_names = full_feature_names;
    auto reader = store_->PrepareOnline(options_);
    if (!reader && reader.error().code == ErrorCode::kAlreadyExists) {
      return RefuseAs(400, "FeatureNameCollisionError", reader.error().ToString());
    }
    auto lookup = std::make_shared<PreparedLookup>();
    TM_ASSIGN(lookup->reader, std::move(reader));
    TM_TRY(AddKeys(*lookup));
    for (const ColumnInfo& data : lookup->reader->requests()) {
      TM_ASSIGN(lookup->requests[data.name], DataType::Parse(data.type));
    }
    TM_TRY(AddFeatures(*lookup));
    AddVersions(*lookup);
    return lookup;
  }

 private:
  Answer<void> TakeView(const std::string& name) {
    if (versions_.contains(name)) return {};
    if (definitions_->OnDemand(name) != nullptr) {
      names_of_views_.push_back(name);
      for (const KnownView* stored : definitions_->StoredViewsOf(name))
        views_.push_back(stored);
      TM_ASSIGN(versions_[name], VersionOf(*store_, ObjectType::kOnDemandView, name));
      return {};
    }
    const auto view = definitions_->View(name);
    if (!view) return NoSuchView(name, store_->project());
    names_of_views_.push_back(name);
    views_.push_back(*view);
    TM_ASSIGN(versions_[name], VersionOf(*store_, ObjectType::kFeatureView, name));
    return {};
  }

  Answer<void> AddKeys(PreparedLookup& lookup) const {
    for (const ColumnInfo& key : lookup.reader->keys()) {
      TM_ASSIGN(DataType type, DataType::Parse(key.type));
      lookup.keys.push_back({.name = key.name, .type = std::move(type), .entity = EntityOf(key.name)});
    }
    return {};
  }

  /// The entity whose only join key this is.
  std::string EntityOf(std::string_view key) const {
    for (const KnownView* view : views_) {
      for (const std::string& name : view->definition.entities) {
        const Entity* entity = definitions_->EntityNamed(name);
        if (entity != nullptr && entity->join_keys.size() == 1 && entity->join_keys.front().name == key) {
          return name;
        }
      }
    }
    return {};
  }

  Answer<void> AddFeatures(PreparedLookup& lookup) const {
    const auto& features = lookup.reader->features();
    for (std::size_t i = 0; i < features.size(); ++i) {
      TM_ASSIGN(DataType type, DataType::Parse(features[i].type));
      lookup.has_nested = lookup.has_nested || type.is_nested();
      lookup.forms.push_back(type.is_nested() ? ValueForm::kNested
                             : type.kind == TypeKind::kString || type.kind == TypeKind::kBinary
                                 ? ValueForm::kText
                                 : ValueForm::kFixed);
      lookup.types.push_back(std::move(type));
      if (i > 0) lookup.feature_names.push_back(',');
      json::AppendText(lookup.feature_names, names_.empty() ? features[i].name : names_[i]);
    }
    return {};
  }

  void AddVersions(PreparedLookup& lookup) const {
    lookup.view_versions.push_back('[');
    for (const std::string& name : names_of_views_) {
      if (&name != &names_of_views_.front()) lookup.view_versions.push_back(',');
      lookup.view_versions.append("{\"name\":");
      json::AppendText(lookup.view_versions, name);
      // The first version is not said, as Protobuf leaves a zero out.
      const std::int64_t version = versions_.at(name);
      lookup.view_versions.append(version == 0 ? "}" : fmt::format(",\"version\":{}}}", version));
    }
    lookup.view_versions.push_back(']');
  }

  const std::shared_ptr<Store> store_;
  const std::shared_ptr<const KnownDefinitions> definitions_;
  OnlineOptions options_;
  std::vector<std::string> names_of_views_;  // in the order in which they are asked for
  std::vector<const KnownView*> views_;      // what is stored of them
  std::map<std::string, std::int64_t> versions_;
  std::vector<std::string> names_;  // of the answer's columns; empty for a service
};

}  // namespace

std::size_t PreparedLookup::KeyOf(std::string_view column) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].name == column) return i;
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!column.empty() && keys[i].entity == column) return i;
  }
  return kNoKey;
}

bool PreparedLookup::IsRequest(std::string_view column) const {
  return requests.contains(column);
}

Answer<std::shared_ptr<const PreparedLookup>> Prepare(Services& services, std::string_view project,
                                                      const Asked& asked) {
  TM_ASSIGN(const auto store, services.stores->Get(project));
  TM_ASSIGN(const auto definitions, services.definitions.GetNow(*store));
  Preparing preparing(store, definitions);
  if (asked.service.empty()) {
    TM_TRY(preparing.TakeFeatures(asked.features, asked.full_feature_names));
  } else {
    TM_ASSIGN(const std::string name, ReadService(asked.service));
    TM_TRY(preparing.TakeService(name));
  }
  return preparing.Finish(asked.full_feature_names);
}

}  // namespace tidemark::server::feast

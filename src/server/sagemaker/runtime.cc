// Each operation reads its request, checks it against the group, and writes or looks up.
#include "server/sagemaker/runtime.h"

#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/name.h"
#include "model/time.h"
#include "server/json/json_text.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::size_t kDoneMax = 100'000;
constexpr std::size_t kKeptBodyBytes = std::size_t{1} << 20U;

/// A reader of this thread; one of its own for a long body, whose memory does not stay.
class Reading {
 public:
  Reading(std::size_t depth_max, std::string_view body) {
    if (body.size() > kKeptBodyBytes) {
      own_ = std::make_unique<RuntimeReader>(depth_max);
      return;
    }
    thread_local std::unique_ptr<RuntimeReader> kept;
    thread_local std::size_t kept_depth = 0;
    if (kept == nullptr || kept_depth != depth_max) kept = std::make_unique<RuntimeReader>(depth_max);
    kept_depth = depth_max;
    kept_ = kept.get();
  }
  RuntimeReader* operator->() const { return own_ ? own_.get() : kept_; }

 private:
  std::unique_ptr<RuntimeReader> own_;
  RuntimeReader* kept_ = nullptr;
};

RecordLookup& Lookup() {
  thread_local RecordLookup lookup;
  return lookup;
}

Answer<std::string> RequiredQuery(const http::Request& request, std::string_view name) {
  auto value = request.Query(name);
  if (value) return *std::move(value);
  return Refuse(Why::kInvalid, fmt::format("{} is missing: it is required", name));
}

Answer<bool> QueryWantsExpiry(const http::Request& request) {
  const auto text = request.Query("ExpirationTimeResponse");
  return text ? WantsExpiry(*text) : Answer<bool>(false);
}

Answer<void> CheckOnline(const Group& group) {
  if (group.stores.online) return {};
  return Refuse(Why::kInvalid, fmt::format("feature group {} has no online store", group.name()));
}

std::vector<std::string_view> Views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

void AppendExpiry(const StoredRow& stored, std::string& out) {
  if (stored.expires_at_us == std::numeric_limits<std::int64_t>::max()) return;
  out += ",\"ExpiresAt\":";
  json::AppendText(out, FormatTimestampUs(stored.expires_at_us));
}

void AppendMember(std::string_view name, std::string_view text, std::string& out) {
  json::AppendText(out, name);
  out.push_back(':');
  json::AppendText(out, text);
}

void AppendProblem(const Refusal& refusal, std::string& out) {
  AppendMember("ErrorCode", NameOf(refusal.why, Api::kRuntime).code, out);
  out.push_back(',');
  AppendMember("ErrorMessage", refusal.message, out);
}

/// A key of a client's is about one record of one group.
std::string DoneKey(const OpenGroup& group, const WriteOptions& options) {
  if (options.key.empty()) return {};
  return fmt::format("{}/{}/{}", group.store().project(), group.group().name(), options.key);
}

/// Definitions may have changed since the group was read: then the write does not fit the table.
bool MayBeStale(const Refusal& refusal) {
  return refusal.why == Why::kInvalid || refusal.why == Why::kNotFound;
}

}  // namespace

Runtime::Runtime(Groups& groups, std::size_t json_depth_max)
    : groups_(groups), depth_max_(json_depth_max), done_(kDoneMax) {}

Answer<GroupPointer> Runtime::Known(const http::Request& request, std::string_view name, Why unknown) {
  TM_ASSIGN(GroupPointer group, groups_.Find(request.project, name));
  if (group != nullptr) return group;
  TM_ASSIGN(group, groups_.Find(request.project, name, /*now=*/true));
  if (group != nullptr) return group;
  return Refuse(unknown, NoSuchGroup(name));
}

std::mutex& Runtime::LockOf(const OpenGroup& group, std::string_view identifier) {
  const std::size_t hash =
      std::hash<std::string_view>()(identifier) * 31 + std::hash<std::string>()(group.group().name());
  return locks_.at(hash % locks_.size());
}

Answer<void> Runtime::PutRecord(const http::Request& request, http::Response& response) {
  TM_ASSIGN(const auto group, Known(request, request.Part("group"), Why::kInvalid));
  response.body = "{}";
  const auto put = PutInto(request, *group);
  if (put || !MayBeStale(put.error())) return put;
  TM_ASSIGN(const auto now, groups_.Find(request.project, request.Part("group"), /*now=*/true));
  if (now == nullptr || now == group) return put;
  return PutInto(request, *now);
}

Answer<void> Runtime::PutInto(const http::Request& request, const OpenGroup& group) {
  const Reading reader(depth_max_, request.body);
  TM_ASSIGN(const WriteEntry entry, reader->Put(request.body));
  TM_ASSIGN(const Row row, CheckRecord(group.group(), entry));
  WriteOptions options{.stores = {}, .key = RetryKeyOf(request), .stop = request.stop};
  TM_ASSIGN(options.stores, StoresOf(group.group(), entry.targets));
  TM_TRY(WriteRows(group, {&row, 1}, options));
  return {};
}

Answer<void> Runtime::GetRecord(const http::Request& request, http::Response& response) {
  GroupPointer group = groups_.FindReady(request.project, request.Part("group"));
  if (group == nullptr) {
    response.needs_worker = !request.on_worker;
    if (response.needs_worker) return {};
    TM_ASSIGN(group, Known(request, request.Part("group"), Why::kNotFound));
  }
  TM_TRY(CheckOnline(group->group()));
  TM_TRY(request.CheckQuery());
  TM_ASSIGN(const std::string identifier, RequiredQuery(request, "RecordIdentifierValueAsString"));
  TM_ASSIGN(const bool wants_expiry, QueryWantsExpiry(request));
  TM_TRY(CheckIdentifier(group->group(), identifier));
  const auto names = request.QueryAll("FeatureName");
  TM_ASSIGN(const auto features, FeaturesNamed(group->group(), Views(names)));
  RecordLookup& lookup = Lookup();
  const std::string_view wanted = identifier;
  TM_TRY(lookup.Read(*group, {&wanted, 1}));
  if (!lookup.is_found(0)) {
    response.body = "{}";
    return {};
  }
  response.body = "{\"Record\":";
  TM_TRY(lookup.AppendRecord(0, features, response.body));
  if (wants_expiry) AppendExpiry(lookup.stored(0), response.body);
  response.body.push_back('}');
  return {};
}

Answer<void> Runtime::DeleteRecord(const http::Request& request, http::Response& response) {
  TM_ASSIGN(const auto group, Known(request, request.Part("group"), Why::kInvalid));
  const Group& about = group->group();
  TM_TRY(request.CheckQuery());
  TM_ASSIGN(const std::string identifier, RequiredQuery(request, "RecordIdentifierValueAsString"));
  TM_ASSIGN(const std::string event_time, RequiredQuery(request, "EventTime"));
  TM_TRY(CheckIdentifier(about, identifier));
  TM_TRY(ReadEventTime(about.features[about.event_time], event_time));
  const std::string mode = request.Query("DeletionMode").value_or("SoftDelete");
  if (mode != "SoftDelete" && mode != "HardDelete") {
    return Refuse(Why::kInvalid,
                  fmt::format("DeletionMode is {}; it may be SoftDelete or HardDelete", Quoted(mode)));
  }
  std::optional<Targets> targets;
  if (const auto names = request.QueryAll("TargetStores"); !names.empty()) {
    TM_ASSIGN(targets, TargetsOf(Views(names)));
  }
  WriteOptions options{.stores = {}, .key = RetryKeyOf(request), .stop = request.stop};
  TM_ASSIGN(options.stores, StoresOf(about, targets));
  response.body = "{}";
  const Deletion deletion{.identifier = {.name = about.features[about.identifier].name, .text = identifier},
                          .event_time = {.name = about.features[about.event_time].name, .text = event_time},
                          .is_hidden = mode == "HardDelete"};
  if (deletion.is_hidden && options.stores.online) return HardDelete(*group, deletion, options);
  TM_TRY(WriteDeletion(*group, deletion, options));
  return {};
}

Answer<void> Runtime::HardDelete(const OpenGroup& group, const Deletion& deletion,
                                 const WriteOptions& options) {
  const Group& about = group.group();
  const std::lock_guard lock(LockOf(group, deletion.identifier.text));
  if (done_.AnswerTo(DoneKey(group, options))) return {};
  RecordLookup& lookup = Lookup();
  TM_TRY(lookup.Read(group, {&deletion.identifier.text, 1}));
  TM_ASSIGN(const EventText event, ReadEventTime(about.features[about.event_time], deletion.event_time.text));
  const StoredRow stored = lookup.stored(0);
  if (stored.is_there && event.us <= stored.event_time_us) {
    return Refuse(Why::kInvalid,
                  fmt::format("the record has event time {}: a hard deletion needs a later one than that",
                              EventTimeText(about.features[about.event_time], lookup.event(0))));
  }
  TM_TRY(WriteDeletion(group, deletion, options));
  done_.Add(DoneKey(group, options), "{}");
  return {};
}

Answer<void> Runtime::BatchGetRecord(const http::Request& request, http::Response& response) {
  const Reading reader(depth_max_, request.body);
  TM_ASSIGN(const BatchGetRequest asked, reader->BatchGet(request.body));
  std::string records;
  std::string errors;
  const auto begin = [](std::string& list, std::string_view group, std::string_view identifier) {
    list += list.empty() ? "{" : ",{";
    AppendMember("FeatureGroupName", group, list);
    list.push_back(',');
    AppendMember("RecordIdentifierValueAsString", identifier, list);
    list.push_back(',');
  };
  for (const BatchIdentifier& each : asked.identifiers) {
    const auto refuse = [&](const Refusal& refusal, std::string_view identifier) {
      begin(errors, each.group, identifier);
      AppendProblem(refusal, errors);
      errors.push_back('}');
    };
    const auto group = Known(request, each.group, Why::kNotFound);
    const auto is_online = group ? CheckOnline((*group)->group()) : Answer<void>();
    if (!group || !is_online) {
      for (const std::string_view identifier : each.identifiers)
        refuse(group ? is_online.error() : group.error(), identifier);
      continue;
    }
    TM_ASSIGN(const auto features, FeaturesNamed((*group)->group(), each.features));
    std::vector<std::string_view> wanted;
    for (const std::string_view identifier : each.identifiers) {
      const auto checked = CheckIdentifier((*group)->group(), identifier);
      if (checked) {
        wanted.push_back(identifier);
      } else {
        refuse(checked.error(), identifier);
      }
    }
    if (wanted.empty()) continue;
    RecordLookup& lookup = Lookup();
    TM_TRY(lookup.Read(**group, wanted));
    for (std::size_t row = 0; row < wanted.size(); ++row) {
      if (!lookup.is_found(row)) continue;
      begin(records, each.group, wanted[row]);
      records += "\"Record\":";
      TM_TRY(lookup.AppendRecord(row, features, records));
      if (asked.wants_expiry) AppendExpiry(lookup.stored(row), records);
      records.push_back('}');
    }
  }
  response.body =
      fmt::format("{{\"Records\":[{}],\"Errors\":[{}],\"UnprocessedIdentifiers\":[]}}", records, errors);
  return {};
}

/// Entries of one group for the same stores: written together.
struct Runtime::Batch {
  GroupPointer group;
  Targets stores;
  std::vector<BatchEntry*> entries = {};
  std::vector<Row> rows = {};
  std::string key = {};
  std::optional<Refusal> failure = {};  // that is not about a row: nothing is known of the whole
};

void Runtime::WriteBatch(const http::Request& request, Batch& batch) {
  const auto options = [&](const std::string& key) {
    return WriteOptions{.stores = batch.stores, .key = key, .stop = request.stop};
  };
  const auto written = WriteRows(*batch.group, batch.rows, options(batch.key));
  if (written) return;
  if (Refusal refusal(written.error()); !MayBeStale(refusal)) {
    batch.failure = std::move(refusal);
    return;
  }
  // One of them does not fit: which, is found one by one.
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    const std::string key = batch.key.empty() ? "" : fmt::format("{}/{}", batch.key, i);
    const auto one = WriteRows(*batch.group, {&batch.rows[i], 1}, options(key));
    if (one) continue;
    Refusal refusal(one.error());
    if (!MayBeStale(refusal)) {
      batch.failure = std::move(refusal);
      return;
    }
    batch.entries[i]->refusal = std::move(refusal);
  }
}

Answer<void> Runtime::BatchWriteRecord(const http::Request& request, http::Response& response) {
  const Reading reader(depth_max_, request.body);
  TM_ASSIGN(auto entries, reader->BatchWrite(request.body));
  std::vector<Batch> batches;
  const auto add = [&](BatchEntry& entry) -> Answer<void> {
    TM_ASSIGN(auto group, Known(request, entry.entry.group, Why::kNotFound));
    TM_ASSIGN(Row row, CheckRecord(group->group(), entry.entry));
    TM_ASSIGN(const Targets stores, StoresOf(group->group(), entry.entry.targets));
    auto batch = std::ranges::find_if(
        batches, [&](const Batch& each) { return each.group == group && each.stores == stores; });
    if (batch == batches.end()) {
      batches.push_back({.group = std::move(group), .stores = stores});
      batch = batches.end() - 1;
    }
    batch->entries.push_back(&entry);
    batch->rows.push_back(std::move(row));
    return {};
  };
  for (BatchEntry& entry : entries) {
    if (entry.refusal) continue;
    if (auto added = add(entry); !added) entry.refusal = std::move(added).error();
  }
  const std::string key = RetryKeyOf(request);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (!key.empty()) batches[i].key = fmt::format("{}/{}", key, i);
    WriteBatch(request, batches[i]);
    // Nothing is half said: the client sends all of it again, and what is written is not written twice.
    if (batches[i].failure) return std::unexpected(*std::move(batches[i].failure));
  }
  response.body = "{\"Errors\":[";
  for (const BatchEntry& entry : entries) {
    if (!entry.refusal) continue;
    if (response.body.back() != '[') response.body.push_back(',');
    response.body += "{\"Entry\":";
    response.body += entry.json;
    response.body.push_back(',');
    AppendProblem(*entry.refusal, response.body);
    response.body.push_back('}');
  }
  response.body += "],\"UnprocessedEntries\":[]}";
  return {};
}

Answer<void> Runtime::UpdateRecord(const http::Request& request, http::Response& response) {
  TM_ASSIGN(const auto group, Known(request, request.Part("group"), Why::kNotFound));
  response.body = "{}";
  return UpdateIn(request, *group);
}

Answer<void> Runtime::UpdateIn(const http::Request& request, const OpenGroup& group) {
  const Group& about = group.group();
  const Reading reader(depth_max_, request.body);
  TM_ASSIGN(const UpdateRequest update, reader->Update(request.body));
  TM_TRY(CheckOnline(about));
  if (about.storage == Storage::kStandard) {
    return Refuse(Why::kInvalid,
                  fmt::format("feature group {} has storage type Standard: records are updated in groups of "
                              "Standard_V2 or InMemory",
                              about.name()));
  }
  TM_TRY(CheckIdentifier(about, update.identifier));
  WriteOptions options{.stores = {}, .key = RetryKeyOf(request), .stop = request.stop};
  TM_ASSIGN(options.stores, StoresOf(about, update.entry.targets));
  if (!options.stores.online)
    return Refuse(Why::kInvalid,
                  "TargetStores names the offline store alone: an update is of the online record");
  Row row;
  TM_ASSIGN(row.values, CheckFeatures(about, update.entry.record));
  const bool has_time = row.values[about.event_time] != nullptr;
  if (update.entry.ttl_us && !has_time) {
    return Refuse(Why::kInvalid, "TtlDuration counts from an event time: give the event time too");
  }
  const FeatureValue identifier{.name = about.features[about.identifier].name, .text = update.identifier};
  const FeatureValue* given = std::exchange(row.values[about.identifier], &identifier);
  if (given != nullptr && given->text != update.identifier)
    return Refuse(Why::kInvalid, "Features has another record identifier than RecordIdentifierValueAsString");

  const std::lock_guard lock(LockOf(group, update.identifier));
  if (done_.AnswerTo(DoneKey(group, options))) return {};
  RecordLookup& lookup = Lookup();
  TM_TRY(lookup.Read(group, {&update.identifier, 1}));
  if (!lookup.is_found(0)) {
    return Refuse(Why::kNotFound, fmt::format("feature group {} has no record {}: there is nothing to update",
                                              about.name(), Quoted(update.identifier)));
  }
  const EventText before = lookup.event(0);
  row.event = before;
  if (has_time) {
    TM_ASSIGN(row.event, ReadEventTime(about.features[about.event_time], row.values[about.event_time]->text));
    if (row.event.us < before.us) {
      return Refuse(Why::kConflict,
                    fmt::format("the record has event time {}, which is later than that of the update",
                                EventTimeText(about.features[about.event_time], before)));
    }
  }
  const std::int64_t expires_at_us = lookup.stored(0).expires_at_us;
  if (update.entry.ttl_us) {
    row.expires_at_us = ExpiryOf(about, row.event.us, update.entry.ttl_us);
  } else if (expires_at_us != std::numeric_limits<std::int64_t>::max()) {
    row.expires_at_us = expires_at_us - before.us + row.event.us;  // its ttl stays what it was
  }
  std::deque<std::string> texts;
  std::deque<FeatureValue> kept;
  for (std::size_t i = 0; i < about.features.size(); ++i) {
    if (row.values[i] != nullptr) continue;
    TM_ASSIGN(const bool is_there, lookup.Value(0, i, texts, kept.emplace_back()));
    if (is_there) row.values[i] = &kept.back();
  }
  TM_TRY(WriteRows(group, {&row, 1}, options));
  done_.Add(DoneKey(group, options), "{}");
  return {};
}

Answer<void> Runtime::ListRecords(const http::Request& request, http::Response& response) {
  TM_ASSIGN(const auto group, Known(request, request.Part("group"), Why::kNotFound));
  const Group& about = group->group();
  TM_TRY(CheckOnline(about));
  const Reading reader(depth_max_, request.body);
  TM_ASSIGN(const ListRequest asked, reader->List(request.body));
  ArrowArrayStream stream{};
  TM_ASSIGN(const OnlineRowsPage page,
            group->store().ReadOnlineRows(
                about.name(),
                {.after = std::string(asked.next), .limit = asked.limit, .deleted = asked.deleted}, &stream));
  auto rows = arrow::ImportRecordBatchReader(&stream);
  if (!rows.ok()) return Refuse(Why::kInternal, rows.status().ToString());
  response.body = "{\"RecordIdentifiers\":[";
  for (std::shared_ptr<arrow::RecordBatch> batch;;) {
    if (const auto status = (*rows)->ReadNext(&batch); !status.ok())
      return Refuse(Why::kInternal, status.ToString());
    if (batch == nullptr) break;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      if (response.body.back() != '[') response.body.push_back(',');
      json::AppendText(response.body, ItemText(*batch->column(0), row));
    }
  }
  response.body.push_back(']');
  if (!page.next.empty()) {
    response.body.push_back(',');
    AppendMember("NextToken", page.next, response.body);
  }
  response.body.push_back('}');
  return {};
}

}  // namespace tidemark::sagemaker

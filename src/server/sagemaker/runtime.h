// The runtime API: records written, read, deleted and listed.
//
// Writes go through the store's log: durable when they are answered, one sync for all that wait. A record is
// replaced by one of a later event time, or an equal one that is written later. UpdateRecord and a hard
// deletion look before they write; within one server that is one step per record, between several servers
// over one store the store's merge decides, which keeps the later record whatever was looked at.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string_view>

#include "server/http/message.h"
#include "server/sagemaker/done_requests.h"
#include "server/sagemaker/groups.h"
#include "server/sagemaker/record_reads.h"
#include "server/sagemaker/record_writes.h"

namespace tidemark::sagemaker {

/// Thread safe.
class Runtime {
 public:
  Runtime(Groups& groups, std::size_t json_depth_max);

  Answer<void> PutRecord(const http::Request& request, http::Response& response);
  Answer<void> GetRecord(const http::Request& request, http::Response& response);
  Answer<void> DeleteRecord(const http::Request& request, http::Response& response);
  Answer<void> BatchGetRecord(const http::Request& request, http::Response& response);
  Answer<void> BatchWriteRecord(const http::Request& request, http::Response& response);
  Answer<void> UpdateRecord(const http::Request& request, http::Response& response);
  Answer<void> ListRecords(const http::Request& request, http::Response& response);

 private:
  struct Batch;

  Answer<GroupPointer> Known(const http::Request& request, std::string_view name, Why unknown);
  Answer<void> PutInto(const http::Request& request, const OpenGroup& group);
  Answer<void> UpdateIn(const http::Request& request, const OpenGroup& group);
  Answer<void> HardDelete(const OpenGroup& group, const Deletion& deletion, const WriteOptions& options);
  void WriteBatch(const http::Request& request, Batch& batch);
  std::mutex& LockOf(const OpenGroup& group, std::string_view identifier);

  Groups& groups_;
  const std::size_t depth_max_;
  DoneRequests done_;  // that looked before they wrote: sent again, they would look at what they did
  std::array<std::mutex, 256> locks_;  // of records that are looked at and then written
};

}  // namespace tidemark::sagemaker

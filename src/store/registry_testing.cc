// The cases of the conformance suite.
#include "store/registry_testing.h"

#include <gmock/gmock.h>

#include <atomic>
#include <ostream>
#include <set>
#include <thread>

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kNow = 1'700'000'000'000'000;

template <typename T>
ErrorCode CodeOf(const Result<T>& result) {
  return result ? ErrorCode::kInternal : result.error().code;
}

std::vector<std::string> Names(const RegistryState& state) {
  std::vector<std::string> names;
  for (const RegistryObject& object : state.objects)
    names.push_back(object.name);
  return names;
}

RegistryChange Change(const RegistryObject& object, std::string name, std::string document) {
  return {.id = object.id, .kind = object.kind, .name = std::move(name), .document = std::move(document)};
}

RegistryChange Remove(const RegistryObject& object) {
  return {.id = object.id, .kind = object.kind, .name = object.name, .document = "", .remove = true};
}

}  // namespace

void PrintTo(const RegistryMaker& maker, std::ostream* out) {
  *out << maker.name;
}

RegistryConformance::RegistryConformance() : place_(GetParam().make_place()), registry_(Open()) {}
RegistryConformance::~RegistryConformance() = default;

std::unique_ptr<Registry> RegistryConformance::Open() {
  auto opened = place_->Open();
  if (!opened) {
    ADD_FAILURE() << opened.error().ToString();
    return nullptr;
  }
  return *std::move(opened);
}

// Goal: a project that was never written is empty, not an error.
TEST_P(RegistryConformance, StartsEmpty) {
  EXPECT_EQ(registry_->Serial("demo").value(), 0);
  EXPECT_EQ(registry_->Load("demo")->serial, 0);
  EXPECT_THAT(registry_->Load("demo")->objects, IsEmpty());
  EXPECT_THAT(registry_->Projects().value(), IsEmpty());
  EXPECT_EQ(CodeOf(registry_->Versions(1)), ErrorCode::kNotFound);
}

// Goal: what is committed is what every instance loads, to the last byte, ordered by kind and name.
TEST_P(RegistryConformance, KeepsWhatIsCommitted) {
  const std::string odd_text("{\"d\": \"\xC3\xA9 'quoted' \n", 20);
  auto committed = registry_->Commit("demo", 0,
                                     {AddObject(ObjectKind::kFeatureView, "b_view", odd_text),
                                      AddObject(ObjectKind::kFeatureView, "A-view", ""),
                                      AddObject(ObjectKind::kEntity, "z", std::string(100'000, 'x'))},
                                     kNow);
  ASSERT_TRUE(committed) << committed.error().ToString();
  EXPECT_GT(committed->serial, 0);
  EXPECT_THAT(Names(*committed), ElementsAre("z", "A-view", "b_view"));
  const RegistryObject& view = committed->objects[2];
  EXPECT_EQ(view.document, odd_text);
  EXPECT_EQ(view.version, 1);
  EXPECT_EQ(view.created_us, kNow);
  EXPECT_EQ(view.updated_us, kNow);
  EXPECT_FALSE(view.removed);

  const auto other = Open();
  const auto loaded = other->Load("demo");
  ASSERT_TRUE(loaded) << loaded.error().ToString();
  EXPECT_EQ(loaded->serial, committed->serial);
  EXPECT_EQ(loaded->objects, committed->objects);
  EXPECT_EQ(other->Serial("demo").value(), committed->serial);
}

// Goal: every version stays readable under its own name and document; the id stays.
TEST_P(RegistryConformance, KeepsEveryVersion) {
  auto state =
      registry_->Commit("demo", 0, {AddObject(ObjectKind::kFeatureView, "old", "one")}, kNow).value();
  const std::uint32_t id = state.objects[0].id;
  state = registry_->Commit("demo", state.serial, {Change(state.objects[0], "old", "two")}, kNow + 1).value();
  state =
      registry_->Commit("demo", state.serial, {Change(state.objects[0], "new", "three")}, kNow + 2).value();
  ASSERT_THAT(Names(state), ElementsAre("new"));
  EXPECT_EQ(state.objects[0].id, id);
  EXPECT_EQ(state.objects[0].version, 3);
  EXPECT_EQ(state.objects[0].created_us, kNow);
  EXPECT_EQ(state.objects[0].updated_us, kNow + 2);
  const RegistryObject renamed = state.objects[0];
  state = registry_->Commit("demo", state.serial, {Remove(renamed)}, kNow + 3).value();
  EXPECT_THAT(state.objects, IsEmpty());

  const auto versions = registry_->Versions(id).value();
  ASSERT_EQ(versions.size(), 4U);
  EXPECT_EQ(versions[0].name, "old");
  EXPECT_EQ(versions[0].document, "one");
  EXPECT_EQ(versions[1].document, "two");
  EXPECT_EQ(versions[2], renamed);
  EXPECT_TRUE(versions[3].removed);
  EXPECT_EQ(versions[3].version, 4);
}

// Goal: a removed object is gone for good; its name is free again and makes an object with an id of its own.
TEST_P(RegistryConformance, NeverGivesAnIdTwice) {
  auto state = registry_->Commit("demo", 0, {AddObject(ObjectKind::kEntity, "driver", "1")}, kNow).value();
  const RegistryObject first = state.objects[0];
  state = registry_->Commit("demo", state.serial, {Remove(first)}, kNow).value();
  EXPECT_EQ(CodeOf(registry_->Commit("demo", state.serial, {Change(first, "driver", "2")}, kNow)),
            ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(registry_->Commit("demo", state.serial, {Remove(first)}, kNow)), ErrorCode::kNotFound);
  state =
      registry_->Commit("demo", state.serial, {AddObject(ObjectKind::kEntity, "driver", "3")}, kNow).value();
  EXPECT_GT(state.objects[0].id, first.id);
  const std::uint32_t last = state.objects[0].id;

  EXPECT_THAT(registry_->RemoveProject("demo").value(), ElementsAre(last));
  state = registry_->Commit("demo", 0, {AddObject(ObjectKind::kEntity, "driver", "4")}, kNow).value();
  EXPECT_GT(state.objects[0].id, last);
}

// Goal: two live objects of one kind and project never have names that differ only in case; others may.
TEST_P(RegistryConformance, NamesAreUniqueByKindAndProject) {
  auto state = registry_->Commit("demo", 0, {AddObject(ObjectKind::kEntity, "Driver", "")}, kNow).value();
  const auto clash =
      registry_->Commit("demo", state.serial, {AddObject(ObjectKind::kEntity, "dRIVER", "")}, kNow);
  ASSERT_EQ(CodeOf(clash), ErrorCode::kAlreadyExists);
  EXPECT_THAT(clash.error().message, HasSubstr("'Driver'"));
  EXPECT_THAT(clash.error().message, HasSubstr("'dRIVER'"));
  EXPECT_EQ(CodeOf(registry_->Commit(
                "demo", state.serial,
                {AddObject(ObjectKind::kEntity, "x", ""), AddObject(ObjectKind::kEntity, "X", "")}, kNow)),
            ErrorCode::kAlreadyExists);
  state = registry_->Commit("demo", state.serial, {AddObject(ObjectKind::kFeatureView, "driver", "")}, kNow)
              .value();
  EXPECT_TRUE(registry_->Commit("other", 0, {AddObject(ObjectKind::kEntity, "DRIVER", "")}, kNow));
  // Only its case changes: no clash with itself.
  state = registry_->Commit("demo", state.serial, {Change(state.objects[0], "driver", "")}, kNow).value();
  EXPECT_THAT(Names(state), ElementsAre("driver", "driver"));
}

// Goal: one commit may hand names on: two objects swap theirs, a new one takes a removed one's.
TEST_P(RegistryConformance, NamesMayMoveWithinOneCommit) {
  auto state = registry_
                   ->Commit("demo", 0,
                            {AddObject(ObjectKind::kEntity, "a", "first"),
                             AddObject(ObjectKind::kEntity, "b", "second"),
                             AddObject(ObjectKind::kEntity, "c", "third")},
                            kNow)
                   .value();
  state = registry_
              ->Commit("demo", state.serial,
                       {AddObject(ObjectKind::kEntity, "c", "fourth"), Change(state.objects[0], "b", "first"),
                        Change(state.objects[1], "a", "second"), Remove(state.objects[2])},
                       kNow)
              .value();
  ASSERT_THAT(Names(state), ElementsAre("a", "b", "c"));
  EXPECT_EQ(state.objects[0].document, "second");
  EXPECT_EQ(state.objects[1].document, "first");
  EXPECT_EQ(state.objects[2].document, "fourth");
}

// Goal: a commit is all or nothing, whatever is wrong with one of its changes.
TEST_P(RegistryConformance, AFailedCommitChangesNothing) {
  auto state = registry_->Commit("demo", 0, {AddObject(ObjectKind::kEntity, "a", "1")}, kNow).value();
  RegistryChange unknown = Change(state.objects[0], "q", "");
  unknown.id = 4711;
  RegistryChange wrong_kind = Change(state.objects[0], "q", "");
  wrong_kind.kind = ObjectKind::kFeatureView;
  const RegistryChange nothing_to_remove{
      .kind = ObjectKind::kEntity, .name = "q", .document = "", .remove = true};
  for (const RegistryChange& bad :
       {unknown, wrong_kind, nothing_to_remove, AddObject(ObjectKind::kEntity, "fresh", "")}) {
    const auto failed = registry_->Commit(
        "demo", state.serial,
        {Change(state.objects[0], "b", "2"), AddObject(ObjectKind::kEntity, "fresh", ""), bad}, kNow);
    EXPECT_FALSE(failed);
    EXPECT_EQ(registry_->Load("demo")->objects, state.objects);
    EXPECT_EQ(registry_->Serial("demo").value(), state.serial);
    EXPECT_EQ(registry_->Versions(state.objects[0].id)->size(), 1U);
  }
  EXPECT_EQ(CodeOf(registry_->Commit("demo", state.serial,
                                     {Change(state.objects[0], "b", "2"), Change(state.objects[0], "c", "3")},
                                     kNow)),
            ErrorCode::kInvalidArgument);
  // An object of one project is none of another's.
  EXPECT_EQ(CodeOf(registry_->Commit("other", 0, {Change(state.objects[0], "b", "2")}, kNow)),
            ErrorCode::kNotFound);
}

// Goal: a commit that was made from an older state writes nothing and says so.
TEST_P(RegistryConformance, AStaleSerialIsRefused) {
  const auto state = registry_->Commit("demo", 0, {AddObject(ObjectKind::kEntity, "a", "1")}, kNow).value();
  const auto newer =
      registry_->Commit("demo", state.serial, {Change(state.objects[0], "a", "2")}, kNow).value();
  EXPECT_GT(newer.serial, state.serial);
  const auto other = Open();
  for (const std::int64_t stale : {std::int64_t{0}, state.serial, newer.serial + 1}) {
    EXPECT_EQ(CodeOf(other->Commit("demo", stale, {Change(state.objects[0], "a", "3")}, kNow)),
              ErrorCode::kBusy);
    EXPECT_EQ(CodeOf(other->Commit("demo", stale, {}, kNow)), ErrorCode::kBusy);
  }
  EXPECT_EQ(registry_->Load("demo")->objects, newer.objects);
  // No changes: nothing is written, not even a serial.
  EXPECT_EQ(other->Commit("demo", newer.serial, {}, kNow)->serial, newer.serial);
}

// Goal: a serial of a removed project never comes again, so a cached state is never taken for a later one.
TEST_P(RegistryConformance, SerialsAreNotRepeatedAfterRemoval) {
  const auto state = registry_->Commit("demo", 0, {AddObject(ObjectKind::kEntity, "a", "1")}, kNow).value();
  ASSERT_TRUE(registry_->RemoveProject("demo"));
  EXPECT_EQ(registry_->Serial("demo").value(), 0);
  EXPECT_EQ(CodeOf(registry_->Commit("demo", state.serial, {AddObject(ObjectKind::kEntity, "a", "1")}, kNow)),
            ErrorCode::kBusy);
  const auto again = registry_->Commit("demo", 0, {AddObject(ObjectKind::kEntity, "a", "1")}, kNow).value();
  EXPECT_GT(again.serial, state.serial);
}

// Goal: projects do not see each other; removing one takes its versions and notes along and no other's.
TEST_P(RegistryConformance, ProjectsAreApart) {
  const auto one = registry_->Commit("one", 0, {AddObject(ObjectKind::kEntity, "a", "1")}, kNow).value();
  const auto two = registry_->Commit("two", 0, {AddObject(ObjectKind::kEntity, "a", "2")}, kNow).value();
  EXPECT_THAT(registry_->Projects().value(), ElementsAre("one", "two"));
  ASSERT_TRUE(registry_->PutNote(one.objects[0].id, "loaded", "x"));
  ASSERT_TRUE(registry_->PutNote(two.objects[0].id, "loaded", "y"));
  EXPECT_THAT(registry_->RemoveProject("one").value(), ElementsAre(one.objects[0].id));
  EXPECT_THAT(registry_->RemoveProject("one").value(), IsEmpty());
  EXPECT_THAT(registry_->Projects().value(), ElementsAre("two"));
  EXPECT_EQ(CodeOf(registry_->Versions(one.objects[0].id)), ErrorCode::kNotFound);
  EXPECT_EQ(registry_->GetNote(one.objects[0].id, "loaded").value(), std::nullopt);
  EXPECT_EQ(registry_->Load("two")->objects, two.objects);
  EXPECT_EQ(registry_->GetNote(two.objects[0].id, "loaded").value(), "y");
}

// Goal: notes are kept by object and name, replaced, removed by an empty document, and need an object.
TEST_P(RegistryConformance, Notes) {
  auto state = registry_->Commit("demo", 0, {AddObject(ObjectKind::kFeatureView, "v", "1")}, kNow).value();
  const std::uint32_t id = state.objects[0].id;
  EXPECT_EQ(registry_->GetNote(id, "loaded").value(), std::nullopt);
  ASSERT_TRUE(registry_->PutNote(id, "loaded", "first"));
  ASSERT_TRUE(registry_->PutNote(id, "other", "o"));
  ASSERT_TRUE(registry_->PutNote(id, "loaded", "second"));
  EXPECT_EQ(Open()->GetNote(id, "loaded").value(), "second");
  EXPECT_EQ(registry_->Serial("demo").value(), state.serial);  // no definition changed
  ASSERT_TRUE(registry_->PutNote(id, "loaded", ""));
  EXPECT_EQ(registry_->GetNote(id, "loaded").value(), std::nullopt);
  EXPECT_EQ(registry_->GetNote(id, "other").value(), "o");
  EXPECT_EQ(CodeOf(registry_->PutNote(4711, "loaded", "x")), ErrorCode::kNotFound);
}

// Goal: two instances race to change the same state; each change is made from the one before it, none is
// lost.
TEST_P(RegistryConformance, RacingCommitsLoseNothing) {
  constexpr int kCommitsEach = 25;
  std::atomic<int> refused = 0;
  const auto race = [&](int racer) {
    const auto registry = Open();
    for (int i = 0; i < kCommitsEach; ++i) {
      while (true) {
        const auto state = registry->Load("demo");
        ASSERT_TRUE(state) << state.error().ToString();
        const std::string name = "e" + std::to_string(racer) + "_" + std::to_string(i);
        const auto done =
            registry->Commit("demo", state->serial, {AddObject(ObjectKind::kEntity, name, "")}, kNow);
        if (done) break;
        ASSERT_EQ(done.error().code, ErrorCode::kBusy) << done.error().ToString();
        ++refused;
      }
    }
  };
  std::thread first(race, 1);
  std::thread second(race, 2);
  first.join();
  second.join();
  const auto state = registry_->Load("demo").value();
  EXPECT_EQ(state.objects.size(), 2U * kCommitsEach);
  std::set<std::uint32_t> ids;
  for (const RegistryObject& object : state.objects)
    ids.insert(object.id);
  EXPECT_EQ(ids.size(), state.objects.size());
  RecordProperty("refused", refused.load());
}

// Goal: one instance may be used from several threads.
TEST_P(RegistryConformance, OneInstanceManyThreads) {
  const auto state =
      registry_->Commit("demo", 0, {AddObject(ObjectKind::kFeatureView, "v", "1")}, kNow).value();
  const std::uint32_t id = state.objects[0].id;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string name = "note" + std::to_string(t);
      for (int i = 1; i <= 10; ++i) {
        EXPECT_TRUE(registry_->PutNote(id, name, std::to_string(i)));
        EXPECT_EQ(registry_->GetNote(id, name).value(), std::to_string(i));
        EXPECT_EQ(registry_->Load("demo")->objects, state.objects);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
}

}  // namespace tidemark

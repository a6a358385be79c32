// Goal: what is asked for comes out once, in the order asked, under names that cannot clash; and what is
// asked for in vain is named with its nearest neighbour.
#include "engine/selection.h"

#include <gmock/gmock.h>

#include "engine/engine_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class SelectionTest : public testing::Test {
 protected:
  SelectionTest() {
    for (const std::string path : {"a", "b"}) {
      scene_.source(path) = {{path, BatchOf({{"driver", arrow::int64(), "[1]"},
                                             {"event_timestamp", kMicros, "[0]"},
                                             {"x", arrow::int64(), "[1]"},
                                             {"y", arrow::int64(), "[1]"}})}};
    }
    scene_.Apply(R"({"entities": [{"name": "driver", "join_keys": [{"name": "driver", "type": "int64"}]}],
      "feature_views": [{"name": "a", "entities": ["driver"], "source": {"type": "file", "path": "a"}},
                        {"name": "b", "entities": ["driver"], "source": {"type": "file", "path": "b"}}]})");
    catalog_ = scene_.catalog();
  }

  std::vector<std::string> Outputs(const std::vector<ViewSelection>& wanted, bool full = false) {
    const auto selection = Resolve(*catalog_, wanted, full);
    EXPECT_TRUE(selection) << selection.error().ToString();
    std::vector<std::string> names;
    if (selection) {
      for (const auto& column : selection->columns)
        names.push_back(selection->feature(column).output_name);
    }
    return names;
  }

  std::string Refused(const std::vector<ViewSelection>& wanted, ErrorCode code, bool full = false) {
    const auto selection = Resolve(*catalog_, wanted, full);
    EXPECT_FALSE(selection);
    if (selection) return "";
    EXPECT_EQ(selection.error().code, code);
    return selection.error().ToString();
  }

  Scene scene_;
  std::shared_ptr<const Catalog> catalog_;
};

TEST_F(SelectionTest, KeepsTheOrderAskedAcrossViews) {
  const auto wanted = SelectionsFromRefs({"a:y", "b:x", "a:x"}).value();
  EXPECT_THAT(Outputs(wanted, true), ElementsAre("a__y", "b__x", "a__x"));
  EXPECT_EQ(Resolve(*catalog_, wanted, true)->views.size(), 2U);  // a is read once
  EXPECT_THAT(Outputs(SelectionsFromRefs({"a"}).value()), ElementsAre("x", "y"));
}

TEST_F(SelectionTest, ShowsBothOfAClash) {
  EXPECT_THAT(Refused(SelectionsFromRefs({"a:x", "b"}).value(), ErrorCode::kInvalidArgument),
              AllOf(HasSubstr("'a:x'"), HasSubstr("'b:x'"), HasSubstr("full_feature_names")));
  EXPECT_THAT(Outputs(SelectionsFromRefs({"a", "b"}).value(), true),
              ElementsAre("a__x", "a__y", "b__x", "b__y"));
  EXPECT_THAT(Refused(SelectionsFromRefs({"a:x", "a"}).value(), ErrorCode::kInvalidArgument, true),
              HasSubstr("once"));
  // The same alias for different keys would be one name for two things.
  EXPECT_THAT(Refused({{"a", {"x"}, {{"driver", "from"}}, "z"}, {"a", {"x"}, {{"driver", "to"}}, "z"}},
                      ErrorCode::kInvalidArgument, true),
              HasSubstr("z__x"));
}

TEST_F(SelectionTest, MapsJoinKeys) {
  const auto selection = Resolve(*catalog_, {{"a", {"x"}, {{"driver", "other"}}, ""}}, false);
  ASSERT_TRUE(selection);
  EXPECT_THAT(selection->views[0].key_columns, ElementsAre("other"));
  EXPECT_THAT(Refused({{"a", {"x"}, {{"drivr", "other"}}, ""}}, ErrorCode::kInvalidArgument),
              AllOf(HasSubstr("'drivr'"), HasSubstr("'driver'")));
}

TEST_F(SelectionTest, NamesWhatIsNotThere) {
  EXPECT_THAT(Refused({{"c", {}, {}, ""}}, ErrorCode::kNotFound), HasSubstr("'c'"));
  EXPECT_THAT(Refused({{"a", {"xx"}, {}, ""}}, ErrorCode::kNotFound),
              AllOf(HasSubstr("'a'"), HasSubstr("'xx'")));
  EXPECT_THAT(Refused({{"a", {}, {}, "a b"}}, ErrorCode::kInvalidArgument), HasSubstr("alias"));
  Refused({}, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(SelectionsFromRefs({"a:x", ":x"}));
}

}  // namespace
}  // namespace tidemark

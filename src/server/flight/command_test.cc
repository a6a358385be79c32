// Goal: every word of a command is read as what it must be, or is an error that names it.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

#include "server/flight/command_internal.h"

namespace tidemark::server::flight {
namespace {

Command Parsed(std::string_view text) {
  auto command = Command::Parse(text);
  EXPECT_TRUE(command) << command.error().ToString();
  return *std::move(command);
}

/// What is wrong with reading the option "x" of `value` by `read`.
template <typename F>
std::string Wrong(std::string_view value, F&& read) {
  Command command = Parsed(R"({"tidemark": 1, "call": "c", "x": )" + std::string(value) + "}");
  const auto got = read(command);
  EXPECT_FALSE(got) << value;
  return got ? "" : got.error().message;
}

TEST(Command, ReadsBothForms) {
  const Command own = Parsed(R"({"tidemark": 1, "call": "sql", "project": "p", "query": "q"})");
  EXPECT_EQ(own.call(), "sql");
  EXPECT_EQ(own.project(), "p");
  EXPECT_FALSE(own.is_feast());
  const Command feast = Parsed(R"({"command_id": "1", "api": "persist", "project": "p"})");
  EXPECT_EQ(feast.call(), "persist");
  EXPECT_TRUE(feast.is_feast());
}

TEST(Command, APathIsACallAProjectAndWhatItIsAbout) {
  auto command = Command::Parse(arrow::flight::FlightDescriptor::Path({"read", "p", "a view"}));
  ASSERT_TRUE(command);
  EXPECT_EQ(command->call(), "read");
  EXPECT_EQ(command->project(), "p");
  EXPECT_EQ(command->Text("view").value(), "a view");
  // Its ticket says the same.
  Command again = Parsed(command->TicketText());
  EXPECT_EQ(again.call(), "read");
  EXPECT_EQ(again.project(), "p");
  EXPECT_EQ(again.Text("view").value(), "a view");
  for (const auto& path : {std::vector<std::string>{},
                           {"read"},
                           {"read", "p"},
                           {"fly", "p", "v"},
                           {"read", "p", "v", "w"},
                           {"read", "\xe1", "v"},
                           {"read", "p", "v\xff"}})
    EXPECT_FALSE(Command::Parse(arrow::flight::FlightDescriptor::Path(path)));
}

TEST(Command, AMessageIsNotCutWithinACharacter) {
  for (const std::string before : {"", "a", "ab"}) {
    std::string text = before;
    for (int i = 0; i < 40; ++i)
      text += "\xe2\x82\xac";
    const auto message = Wrong('"' + text + '"', [](Command& command) { return command.Flag("x"); });
    EXPECT_TRUE(simdjson::validate_utf8(message)) << message;
    EXPECT_TRUE(message.ends_with("\xe2\x82\xac...")) << message;
  }
}

TEST(Command, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("[]"), std::string("{"), std::string("{} {}"),
        std::string(R"({"call": "sql"})"), std::string(R"({"tidemark": 2, "call": "sql"})"),
        std::string(R"({"tidemark": 1})"), std::string(R"({"tidemark": 1, "call": 5})"),
        std::string(R"({"tidemark": 1, "call": "a", "project": 5})"), std::string(1'000'000, '['),
        std::string("{\"a\": \"\xff\"}"), std::string(5'000'000, ' ')}) {
    const auto command = Command::Parse(text);
    ASSERT_FALSE(command) << text.substr(0, 80);
    EXPECT_EQ(command.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Command, NamesTheOptionThatIsWrong) {
  const auto text = [](Command& command) { return command.Text("x"); };
  const auto flag = [](Command& command) { return command.Flag("x"); };
  const auto integer = [](Command& command) { return command.Integer("x"); };
  const auto time = [](Command& command) { return command.Time("x"); };
  const auto texts = [](Command& command) { return command.Texts("x"); };
  EXPECT_EQ(Wrong("1", text), "the option 'x' must be text, not 1");
  EXPECT_EQ(Wrong("null", text), "the command needs the option 'x'");
  EXPECT_EQ(Wrong("\"\"", text), "the command needs the option 'x'");
  EXPECT_EQ(Wrong("0", flag), "the option 'x' must be true or false, not 0");
  EXPECT_EQ(Wrong("1.5", integer), "the option 'x' must be an integer, not 1.5");
  EXPECT_EQ(Wrong("18446744073709551615", integer),
            "the option 'x' must be an integer, not 18446744073709551615");
  EXPECT_EQ(Wrong("\"noon\"", time),
            "the option 'x' must be a time, such as 2026-01-31T12:00:00Z, not \"noon\"");
  EXPECT_EQ(Wrong("[1]", texts), "the option 'x' must be a list of texts, not [1]");
  EXPECT_EQ(Wrong("\"a\"", texts), "the option 'x' must be a list of texts, not \"a\"");
}

TEST(Command, ReadsOptions) {
  Command command = Parsed(
      R"({"tidemark": 1, "call": "c", "to": "offline", "dry_run": true, "as_of": "1970-01-01T00:00:01Z",
          "snapshot_id": 9, "list": ["a", "b"], "object": {"k": [1]}, "nothing": null})");
  const auto writing = command.Writing();
  ASSERT_TRUE(writing);
  EXPECT_EQ(writing->to, WriteTarget::kOffline);
  EXPECT_TRUE(writing->dry_run);
  EXPECT_FALSE(writing->skip_bad_rows);
  const auto reading = command.Reading();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->as_of_us, 1'000'000);
  EXPECT_EQ(reading->snapshot_id, 9);
  EXPECT_EQ(command.Texts("list").value(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(command.Json("object"), R"({"k":[1]})");
  EXPECT_EQ(command.Value("nothing"), nullptr);
  EXPECT_TRUE(command.NothingElse());
}

TEST(Command, AnOptionThatNobodyAskedForIsAnError) {
  Command command = Parsed(R"({"tidemark": 1, "call": "c", "veiw": "v"})");
  EXPECT_EQ(command.Text("view", "").value(), "");
  const auto rest = command.NothingElse();
  ASSERT_FALSE(rest);
  EXPECT_EQ(rest.error().message, "'c' has no option 'veiw' (did you mean 'view'?)");
}

}  // namespace
}  // namespace tidemark::server::flight

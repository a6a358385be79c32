// Secrets are found wherever connection strings put them, and nothing of them is left.
#include "base/redaction.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

// Goal: the password of a URI is hidden, whatever characters it wrongly holds; all else stays readable.
TEST(RedactionTest, HidesPasswordsOfUris) {
  EXPECT_EQ(Redact("postgresql://reader:tide-7@db:5432/shop"), "postgresql://reader:***@db:5432/shop");
  EXPECT_EQ(Redact("postgresql://r:p@ss/wo@db/shop?x=1"), "postgresql://r:***@db/shop?x=1");
  EXPECT_EQ(Redact("cannot reach 'postgresql://r:p%40ss@db/shop' now"),
            "cannot reach 'postgresql://r:***@db/shop' now");
  EXPECT_EQ(Redact("postgresql://r:a?b@db/shop"), "postgresql://r:***@db/shop");
  EXPECT_EQ(Redact("postgresql://db:5432/shop?sslmode=disable"), "postgresql://db:5432/shop?sslmode=disable");
  EXPECT_EQ(Redact("postgresql://reader@db/shop"), "postgresql://reader@db/shop");
}

// Goal: so are secrets that stand behind a name, in every notation of connection strings.
TEST(RedactionTest, HidesNamedValues) {
  EXPECT_EQ(Redact("host=db password=tide-7 user=r"), "host=db password=*** user=r");
  EXPECT_EQ(Redact("host=db password = 'a \\' b' user=r"), "host=db password = '***' user=r");
  EXPECT_EQ(Redact("postgresql://db/shop?user=r&PASSWORD=tide-7&sslmode=disable"),
            "postgresql://db/shop?user=r&PASSWORD=***&sslmode=disable");
  EXPECT_EQ(Redact("auth_token=abc;region=eu"), "auth_token=***;region=eu");
  EXPECT_EQ(Redact("password authentication failed for user \"r\""),
            "password authentication failed for user \"r\"");
}

// Goal: a URI without a scheme is one all the same.
TEST(RedactionTest, HidesPasswordsOfBareUris) {
  EXPECT_EQ(RedactOption("uri", "ann:tide-7@account/db?warehouse=w"), "ann:***@account/db?warehouse=w");
  EXPECT_EQ(RedactOption("uri", "ann:${P}@account/db"), "ann:${P}@account/db");
  EXPECT_EQ(SecretsOf({{"uri", "ann:tide-7@account/db"}}), std::vector<std::string>{"tide-7"});
}

// Goal: a name in place of the secret says where it comes from and may be read.
TEST(RedactionTest, ShowsNamesOfVariables) {
  EXPECT_EQ(Redact("postgresql://r:${PG_PASSWORD}@db/shop"), "postgresql://r:${PG_PASSWORD}@db/shop");
  EXPECT_EQ(Redact("postgresql://r:${A}tide-7@db/shop"), "postgresql://r:***@db/shop");
  EXPECT_EQ(RedactOption("password", "${PG_PASSWORD}"), "${PG_PASSWORD}");
  EXPECT_EQ(RedactOption("password", "tide-7"), "***");
  EXPECT_EQ(RedactOption("adbc.snowflake.sql.client_option.Auth_Token", "x"), "***");
  EXPECT_EQ(RedactOption("adbc.snowflake.sql.warehouse", "wh"), "wh");
}

// Goal: a secret of a connection is taken out of any text, as written and decoded, the longer ones first.
TEST(RedactionTest, TakesKnownSecretsOut) {
  const auto secrets = SecretsOf({{"uri", "postgresql://r:tide%407@db/shop"},
                                  {"adbc.token", "tide@7-long"},
                                  {"keeps_token", "true"},
                                  {"secret", "ab"}});
  EXPECT_EQ(secrets, (std::vector<std::string>{"tide@7-long", "tide%407", "tide@7"}));
  EXPECT_EQ(Redact("bad tide@7-long, tide@7 and tide%407", secrets), "bad ***, *** and ***");
}

}  // namespace
}  // namespace tidemark

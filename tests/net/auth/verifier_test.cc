#include "net/auth/verifier.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>

#include "db/base/random.h"
#include "db/database.h"
#include "rules/guard.h"

using namespace hearth;
using namespace hearth::net;
using db::ErrorCode;
using rules::Auth;

namespace {

const std::string kSecret = "0123456789abcdef0123456789abcdef01234567";

// A guard over an empty database.
class Door {
 public:
  explicit Door(bool dev)
      : folder_(std::filesystem::temp_directory_path() / ("hearth-auth-" + db::random_hex(8))),
        database_(open(folder_.string())),
        guard_(*database_, {.dev = dev, .admin_secret = kSecret, .default_namespace = "demo"}),
        verifier_(guard_) {}
  ~Door() {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }
  db::Result<Auth> verify(std::string_view credential) const { return verifier_.verify(credential); }

 private:
  static std::unique_ptr<db::Database> open(std::string folder) {
    db::Database::Options options;
    options.folder = std::move(folder);
    options.sync = db::SyncMode::Os;
    return db::Database::open(std::move(options)).value();
  }
  std::filesystem::path folder_;
  std::unique_ptr<db::Database> database_;
  rules::Guard guard_;
  Verifier verifier_;
};

std::string base64url(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text += kDigits[(bits >> (count - 6)) & 63];
  }
  if (count > 0) text += kDigits[(bits << (6 - count)) & 63];
  return text;
}

std::string token(std::string_view claims, std::string_view header = R"({"alg":"none","type":"JWT"})",
                  std::string_view signature = "") {
  return base64url(header) + "." + base64url(claims) + "." + base64url(signature);
}

constexpr std::string_view kSigned = R"({"alg":"RS256","kid":"k1","typ":"JWT"})";

Auth user(std::string variable) { return {Auth::Kind::User, std::move(variable), {}}; }

}  // namespace

TEST_CASE("Verifier: in development a token is believed", "[auth]") {
  const Door door(true);
  struct Case {
    std::string credential;
    Auth auth;
  };
  const std::string mock =  // SDK: util/src/emulator.ts, createMockUserToken
      R"({"iss":"https://securetoken.google.com/p","aud":"p","iat":0,"exp":3600,"auth_time":0,"sub":"ada",)"
      R"("user_id":"ada","firebase":{"sign_in_provider":"custom","identities":{}},"role":"editor"})";
  const std::vector<Case> cases = {
      {"owner", Auth::admin()},
      {kSecret, Auth::admin()},
      {token(mock), user(R"({"uid":"ada","provider":"custom","token":)" + mock + "}")},
      {token(R"({"sub":"bob"})"), user(R"({"uid":"bob","provider":"custom","token":{"sub":"bob"}})")},
      {token(R"({"sub":"bob","user_id":"ada"})"),
       user(R"({"uid":"ada","provider":"custom","token":{"sub":"bob","user_id":"ada"}})")},
      {token(R"({"sub":"b","firebase":{"sign_in_provider":"password"}})"),
       user(R"({"uid":"b","provider":"password","token":{"sub":"b","firebase":{"sign_in_provider":"password"}}})")},
      {token(R"({"sub":"b","provider_id":"anonymous"})"),
       user(R"({"uid":"b","provider":"anonymous","token":{"sub":"b","provider_id":"anonymous"}})")},
      {token(R"({"sub":"b","exp":1})", kSigned, "signature"),
       user(R"({"uid":"b","provider":"custom","token":{"sub":"b","exp":1}})")},
      {token(R"({"v":0,"d":{"uid":"x","role":1}})", kSigned, "s"), user(R"({"uid":"x","role":1})")},
      {token(R"({"v":0,"admin":true,"d":{"uid":"x"}})", kSigned, "s"), Auth::admin()},
      {token(R"({"sub":"b","admin":true})"),  // a custom claim
       user(R"({"uid":"b","provider":"custom","token":{"sub":"b","admin":true}})")},
  };
  for (const Case& c : cases) {
    INFO(c.auth.variable);
    const auto auth = door.verify(c.credential);
    REQUIRE(auth.ok());
    CHECK(auth.value() == c.auth);
  }
}

TEST_CASE("Verifier: otherwise only the admin secret proves anything", "[auth]") {
  const Door door(false);
  CHECK(door.verify(kSecret).value() == Auth::admin());
  struct Case {
    std::string credential, text;
  };
  const std::string cant_parse = "Could not parse auth token.";
  const std::vector<Case> cases = {
      {"", cant_parse},
      {"owner", cant_parse},
      {kSecret.substr(1), cant_parse},
      {kSecret + "0", cant_parse},
      {"ya29.an-oauth-token", cant_parse},
      {token(R"({"sub":"ada"})"), "Unsigned auth tokens are accepted in development only."},
      {token(R"({"v":0,"admin":true})"), "Unsigned auth tokens are accepted in development only."},
      {token(R"({"sub":"ada"})", kSigned, "signature"),
       "This server can't verify signed auth tokens yet; use the admin secret."},
      {token(R"({"v":0,"admin":true})", R"({"alg":"HS256"})", "signature"),
       "This server can't verify signed auth tokens yet; use the admin secret."},
  };
  for (const Case& c : cases) {
    INFO(c.credential);
    const auto auth = door.verify(c.credential);
    REQUIRE_FALSE(auth.ok());
    CHECK(auth.error() == db::Error{ErrorCode::InvalidToken, c.text});
  }
}

TEST_CASE("Verifier: tokens that make no sense are refused in development too", "[auth]") {
  const Door door(true);
  for (const std::string& credential :
       {std::string(), std::string("gibberish"), std::string("Owner"), token("[]"), token("{}"), token(R"({"sub":""})"),
        token(R"({"sub":5})"), token(R"({"sub":"ada"})", R"({"alg":"none"})", "signature"), token(R"({"v":0})")}) {
    INFO(credential);
    const auto auth = door.verify(credential);
    REQUIRE_FALSE(auth.ok());
    CHECK(auth.error().code == ErrorCode::InvalidToken);
    CHECK((credential.empty() || auth.error().message.find(credential) == std::string::npos));
  }
}

TEST_CASE("act_as: an admin may be judged as another, nobody else may", "[auth]") {
  const Auth ada = user(R"({"uid":"ada"})");
  CHECK(act_as(Auth::admin(), R"({"uid":"svc"})").value() == user(R"({"uid":"svc"})"));
  CHECK(act_as(Auth::admin(), "null").value() == Auth{});
  CHECK(act_as(ada, R"({"uid":"svc"})").value() == ada);
  CHECK(act_as(ada, "null").value() == ada);
  CHECK(act_as(Auth{}, R"({"uid":"svc"})").value() == Auth{});
  for (const char* variable : {"", "5", "[]", "\"svc\"", "{"}) {
    INFO(variable);
    const auto auth = act_as(Auth::admin(), variable);
    REQUIRE_FALSE(auth.ok());
    CHECK(auth.error().code == ErrorCode::InvalidArgument);
  }
}

// The file of --auth-config becomes issuers, or one mistake with its line and column.
//
//   text ─ rules::parse_text (JSON with comments and places) ─▶ TextNode ─ Reader ─▶ Issuer …
//   each issuer: members known? ─▶ preset of its shape ─▶ keys ─▶ limits ─▶ claims
//
// A mistake here decides who may sign in, so nothing is guessed: unknown members, members that are there twice, two
// sources of keys, two issuers of one name are errors. preset() fills in what follows from a provider's shape, with
// the documentation that says so.
//
// Two demands protect against believing too much: keys come over TLS, or from this machine; published keys need an
// audience, since the same keys sign for other customers of the provider.
//
// A Supabase project may have keys that are no tokens ("keys"). They are secrets as others: only their digests are kept,
// and no error quotes one.
//
// Key files are read here once, only to find mistakes early; KeySource reads them again while the server runs.
// Secrets are read here and stay.
#include "net/auth/auth_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "net/auth/good_tokens.h"
#include "net/auth/key_source.h"
#include "rules/language/text.h"

namespace hearth::net {

namespace {

using db::Error;
using db::ErrorCode;
using rules::TextNode;

constexpr std::string_view kGoogleKeys =
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";

struct ShapeRow {
  std::string_view name;
  Shape shape;
  std::string_view own;  // the member that only this shape has; of keycloak and plain, "issuer"
};
constexpr ShapeRow kShapes[] = {{"plain", Shape::Plain, "issuer"},
                                {"firebase", Shape::Firebase, "project"},
                                {"supabase", Shape::Supabase, "url"},
                                {"auth0", Shape::Auth0, "domain"},
                                {"keycloak", Shape::Keycloak, "issuer"}};
constexpr std::string_view kOfSupabase[] = {"keys", "keys_file", "service_role"};
constexpr std::string_view kCommon[] = {"shape",    "audience",   "secret_file", "secret", "jwks_file",
                                        "jwks_url", "namespaces", "skew",        "claims", "name"};

bool is_loopback(std::string_view host) { return host == "localhost" || host == "[::1]" || host == "127.0.0.1"; }

// Says what is wrong with a URL that keys shall come from; "" when nothing is. A user's name in it is refused: it
// hides the host.
std::string_view complaint_of(std::string_view url) {
  const bool has_tls = url.starts_with("https://");
  if (!has_tls && !url.starts_with("http://")) return "keys come from an https:// URL";
  if (url.find_first_of("\\ \t\r\n") != std::string_view::npos) return "that is no URL";
  url.remove_prefix(has_tls ? 8 : 7);
  std::string_view host = url.substr(0, url.find_first_of("/?#"));
  if (host.empty() || host.find('@') != std::string_view::npos)
    return "a URL with a host and without a user's name is expected";
  if (has_tls) return "";
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  return is_loopback(host) ? "" : "keys come from an https:// URL; http:// is for this machine alone (127.0.0.1)";
}

std::string without_slash(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

class Reader {
 public:
  Reader(std::string_view text, const ReadFile& read) : text_(text), read_(read) {}

  db::Result<AuthConfig> config() {
    ASSIGN_OR_RETURN(const TextNode root, rules::parse_text(text_));
    if (root.kind != TextNode::Kind::Object) return wrong(root.at, R"(expected {"issuers": […]})");
    const TextNode* list = nullptr;
    for (const rules::TextMember& member : root.members) {
      if (member.key != "issuers")
        return wrong(member.at, fmt::format(R"(unknown member "{}"; there is "issuers")", member.key));
      if (list != nullptr) return wrong(member.at, R"("issuers" is here twice)");
      list = &member.value;
    }
    if (list == nullptr || list->kind != TextNode::Kind::Array || list->elements.empty()) {
      return wrong(list != nullptr ? list->at : root.at, R"("issuers" must be a list of at least one issuer)");
    }
    if (list->elements.size() > kIssuersMax) return wrong(list->at, fmt::format("at most {} issuers", kIssuersMax));
    AuthConfig config;
    for (const TextNode& one : list->elements) {
      ASSIGN_OR_RETURN(Issuer issuer, this->issuer(one));
      for (const Issuer& other : config.issuers) {
        if (other.issuer == issuer.issuer) return wrong(one.at, fmt::format(R"(two issuers are "{}")", issuer.issuer));
        if (other.name == issuer.name)
          return wrong(one.at, fmt::format(R"(two issuers have the name "{}")", issuer.name));
        for (const ProjectKey& key : issuer.project_keys) {
          if (has_key(other.project_keys, key)) return wrong(one.at, "two issuers have the same key (keys)");
        }
      }
      config.issuers.push_back(std::move(issuer));
    }
    return config;
  }

 private:
  Error wrong(rules::Offset at, std::string_view what) const {
    return {ErrorCode::InvalidData, rules::error_line(text_, at, what)};
  }

  static const TextNode* member(const TextNode& of, std::string_view name) {
    for (const rules::TextMember& one : of.members) {
      if (one.key == name) return &one.value;
    }
    return nullptr;
  }

  // The text of a member; "" when there is no such member.
  db::Result<std::string> text(const TextNode& of, std::string_view name) const {
    const TextNode* node = member(of, name);
    if (node == nullptr) return std::string();
    if (node->kind != TextNode::Kind::String || node->text.empty())
      return wrong(node->at, fmt::format(R"("{}" must be text)", name));
    return node->text;
  }

  // Texts, of a list or, where `one` may stand for it, a single text.
  enum class Single : uint8_t { No, Yes };
  db::Result<std::vector<std::string>> texts(const TextNode& of, std::string_view name, Single single) const {
    std::vector<std::string> all;
    const TextNode* node = member(of, name);
    if (node == nullptr) return all;
    if (single == Single::Yes && node->kind == TextNode::Kind::String && !node->text.empty()) {
      all.push_back(node->text);
      return all;
    }
    const std::string_view what = single == Single::Yes ? "text or a list of texts" : "a list of texts";
    if (node->kind != TextNode::Kind::Array || node->elements.empty())
      return wrong(node->at, fmt::format(R"("{}" must be {})", name, what));
    for (const TextNode& one : node->elements) {
      if (one.kind != TextNode::Kind::String || one.text.empty())
        return wrong(one.at, fmt::format(R"("{}" must be {})", name, what));
      all.push_back(one.text);
    }
    return all;
  }

  db::Result<Issuer> issuer(const TextNode& node) const {
    if (node.kind != TextNode::Kind::Object) return wrong(node.at, "an issuer is an object");
    ASSIGN_OR_RETURN(const std::string shape, text(node, "shape"));
    const ShapeRow* row = std::find_if(std::begin(kShapes), std::end(kShapes), [&](const ShapeRow& one) {
      return one.name == (shape.empty() ? "plain" : shape);
    });
    if (row == std::end(kShapes)) {
      return wrong(member(node, "shape")->at,
                   fmt::format(R"(no shape "{}"; there are plain, firebase, supabase, auth0 and keycloak)", shape));
    }
    RETURN_IF_ERROR(check_members(node, *row));
    Issuer to;
    to.shape = row->shape;
    ASSIGN_OR_RETURN(const std::string own, text(node, row->own));
    if (own.empty())
      return wrong(node.at, fmt::format(R"("{}" is missing, which an issuer of shape {} needs)", row->own, row->name));
    ASSIGN_OR_RETURN(to.audiences, texts(node, "audience", Single::Yes));
    std::string published = preset(to, own);  // where this shape's keys are, if nothing else is said
    if (to.shape == Shape::Firebase && member(node, "audience") != nullptr) {
      return wrong(member(node, "audience")->at, R"(of shape firebase the audience is the "project")");
    }
    RETURN_IF_ERROR(read_keys(node, std::move(published), to));
    if (to.audiences.empty() && !to.keys_at.empty()) {
      return wrong(node.at, R"("audience" is missing: published keys sign tokens for others too)");
    }
    RETURN_IF_ERROR(read_limits(node, to));
    RETURN_IF_ERROR(read_claims(node, to));
    if (to.shape == Shape::Supabase) RETURN_IF_ERROR(read_project(node, to));
    ASSIGN_OR_RETURN(to.name, text(node, "name"));
    if (to.name.empty()) to.name = to.issuer;
    return to;
  }

  db::Result<void> check_members(const TextNode& node, const ShapeRow& row) const {
    std::set<std::string_view> seen;
    for (const rules::TextMember& one : node.members) {
      const bool is_known =
          one.key == row.own || std::find(std::begin(kCommon), std::end(kCommon), one.key) != std::end(kCommon) ||
          (row.shape == Shape::Supabase &&
           std::find(std::begin(kOfSupabase), std::end(kOfSupabase), one.key) != std::end(kOfSupabase));
      if (!is_known) {
        const std::string more = row.shape == Shape::Supabase ? fmt::format(", {}", fmt::join(kOfSupabase, ", ")) : "";
        return wrong(one.at, fmt::format(R"(unknown member "{}"; an issuer of shape {} has {}, {}{})", one.key,
                                         row.name, row.own, fmt::join(kCommon, ", "), more));
      }
      if (!seen.insert(one.key).second) return wrong(one.at, fmt::format(R"("{}" is here twice)", one.key));
    }
    return {};
  }

  // Fills in what follows from the shape. Returns where the provider publishes its keys, or "".
  static std::string preset(Issuer& to, const std::string& own) {
    to.uid = {"sub"};
    switch (to.shape) {
      case Shape::Plain:
        to.issuer = own;
        to.provider = {"provider_id"};
        return "";
      case Shape::Firebase:  // Firebase docs, "Verify ID tokens using a third-party JWT library"
        to.issuer = "https://securetoken.google.com/" + own;
        if (to.audiences.empty()) to.audiences = {own};
        to.provider = {"firebase", "sign_in_provider"};
        return std::string(kGoogleKeys);
      case Shape::Supabase:  // Supabase docs, "JSON Web Tokens"
        to.issuer = without_slash(own) + "/auth/v1";
        if (to.audiences.empty()) to.audiences = {"authenticated"};
        to.provider = {"app_metadata", "provider"};
        return to.issuer + "/.well-known/jwks.json";
      case Shape::Auth0:  // Auth0 docs, "Validate JSON Web Tokens"
        to.issuer = "https://" + without_slash(own) + "/";
        return to.issuer + ".well-known/jwks.json";
      case Shape::Keycloak:
        to.issuer = without_slash(own);
        to.provider = {"identity_provider"};
        return to.issuer + "/protocol/openid-connect/certs";
    }
    return "";
  }

  db::Result<void> read_keys(const TextNode& node, std::string published, Issuer& to) const {
    ASSIGN_OR_RETURN(const std::string secret_file, text(node, "secret_file"));
    ASSIGN_OR_RETURN(std::string secret, text(node, "secret"));
    ASSIGN_OR_RETURN(const std::string jwks_file, text(node, "jwks_file"));
    ASSIGN_OR_RETURN(const std::string jwks_url, text(node, "jwks_url"));
    const TextNode* const secret_at = member(node, secret_file.empty() ? "secret" : "secret_file");
    if (!secret_file.empty() && !secret.empty()) return wrong(secret_at->at, R"("secret_file" or "secret", not both)");
    if (!jwks_file.empty() && !jwks_url.empty()) return wrong(node.at, R"("jwks_file" or "jwks_url", not both)");
    if (!secret_file.empty()) {
      auto read = read_(secret_file);
      if (!read.ok()) return wrong(secret_at->at, read.error().message);
      secret = std::move(read).value();
      while (!secret.empty() && std::string_view(" \t\r\n").find(secret.back()) != std::string_view::npos)
        secret.pop_back();
    }
    if (secret_at != nullptr) {
      if (to.shape == Shape::Firebase)
        return wrong(secret_at->at,
                     "Firebase signs with published keys; a secret of yours is an issuer of shape plain");
      auto key = Key::secret(secret);
      if (!key.ok()) return wrong(secret_at->at, key.error().message);
      to.secret = std::move(key).value();
    }
    if (!jwks_file.empty()) {
      const auto read = read_(jwks_file);
      const rules::Offset at = member(node, "jwks_file")->at;
      if (!read.ok()) return wrong(at, read.error().message);
      const auto set = KeySet::parse(read.value());
      if (!set.ok()) return wrong(at, fmt::format("{}: {}", jwks_file, set.error().message));
      to.keys_at = jwks_file;
    } else if (!jwks_url.empty()) {
      to.keys_at = jwks_url;
    } else if (secret_at == nullptr) {
      to.keys_at = std::move(published);
    }
    if (to.keys_at.empty() && secret_at == nullptr) {
      return wrong(node.at, R"(where are the keys? give "secret_file", "jwks_file" or "jwks_url")");
    }
    const TextNode* const url_at = member(node, "jwks_url");
    const std::string_view complaint = jwks_file.empty() && !to.keys_at.empty() ? complaint_of(to.keys_at) : "";
    if (!complaint.empty())
      return wrong(url_at != nullptr ? url_at->at : node.at, fmt::format("{}: {}", to.keys_at, complaint));
    return {};
  }

  db::Result<void> read_limits(const TextNode& node, Issuer& to) const {
    ASSIGN_OR_RETURN(to.namespaces, texts(node, "namespaces", Single::No));
    for (std::string& name : to.namespaces) {
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (const TextNode* skew = member(node, "skew"); skew != nullptr) {
      const double seconds = skew->kind == TextNode::Kind::Number ? std::strtod(skew->text.c_str(), nullptr) : -1;
      if (seconds < 0 || seconds > static_cast<double>(kSkewMax.count()) || seconds != std::floor(seconds)) {
        return wrong(skew->at, fmt::format(R"("skew" must be whole seconds, at most {})", kSkewMax.count()));
      }
      to.skew = std::chrono::seconds(static_cast<int64_t>(seconds));
    }
    return {};
  }

  static bool has_key(const std::vector<ProjectKey>& keys, const ProjectKey& key) {
    return std::any_of(keys.begin(), keys.end(), [&](const ProjectKey& one) { return one.digest == key.digest; });
  }

  // What only a Supabase project has: keys that are no tokens, and what its service role may do.
  db::Result<void> read_project(const TextNode& node, Issuer& to) const {
    ASSIGN_OR_RETURN(const std::string role, text(node, kServiceRole));
    if (!role.empty()) {
      const rules::Offset at = member(node, kServiceRole)->at;
      if (role != "admin") return wrong(at, R"("service_role" can be "admin"; without it, it is a user without uid)");
      if (!to.namespaces.empty())
        return wrong(at, R"("service_role" is "admin" in all namespaces; "namespaces" can't be there too)");
      to.service_is_admin = true;
    }
    ASSIGN_OR_RETURN(const std::string file, text(node, "keys_file"));
    const TextNode* const keys = member(node, "keys");
    if (file.empty()) return keys == nullptr ? db::Result<void>() : read_project_keys(*keys, to, text_);
    const rules::Offset at = member(node, "keys_file")->at;
    if (keys != nullptr) return wrong(at, R"("keys_file" or "keys", not both)");
    const auto read = read_(file);
    if (!read.ok()) return wrong(at, read.error().message);
    const auto parsed = rules::parse_text(read.value());
    db::Result<void> done = parsed.ok() ? read_project_keys(parsed.value(), to, read.value()) : parsed.error();
    if (done.ok()) return done;
    std::string what = done.error().message;
    while (what.ends_with('\n')) what.pop_back();
    return wrong(at, fmt::format("{}:{}", file, what));
  }

  // `text`: where `keys` stands. Errors do not quote keys.
  static db::Result<void> read_project_keys(const TextNode& keys, Issuer& to, std::string_view text) {
    const auto wrong = [&](rules::Offset at, std::string_view what) {
      return Error{ErrorCode::InvalidData, rules::error_line(text, at, what)};
    };
    if (keys.kind != TextNode::Kind::Object || keys.members.size() > kProjectKeysMax)
      return wrong(keys.at, fmt::format(R"(keys are an object, {{"sb_…": role}}, of at most {})", kProjectKeysMax));
    for (const rules::TextMember& one : keys.members) {
      if (!one.key.starts_with(kProjectKeyStart))
        return wrong(one.at, R"(a key begins with "sb_"; one that is a token is verified by the secret)");
      const std::string& role = one.value.text;
      if (one.value.kind != TextNode::Kind::String || (role != kAnonRole && role != kServiceRole))
        return wrong(one.value.at, R"(a key's role is "anon" or "service_role")");
      if (one.key.size() > kSecretBytesMax || (role == kServiceRole && one.key.size() < kSecretBytesMin))
        return wrong(one.at, fmt::format("a key of service_role is a secret: it has {} to {} bytes", kSecretBytesMin,
                                         kSecretBytesMax));
      const ProjectKey key{GoodTokens::digest_of(one.key), role == kAnonRole ? kAnonRole : kServiceRole};
      if (has_key(to.project_keys, key)) return wrong(one.at, "this key is here twice");
      to.project_keys.push_back(key);
    }
    return {};
  }

  db::Result<void> read_claims(const TextNode& node, Issuer& to) const {
    const TextNode* claims = member(node, "claims");
    if (claims == nullptr) return {};
    if (claims->kind != TextNode::Kind::Object) return wrong(claims->at, R"("claims" must be an object)");
    for (const rules::TextMember& one : claims->members) {
      if (one.key != "uid" && one.key != "provider") {
        return wrong(
            one.at,
            fmt::format(R"(unknown member "{}"; there are "uid" and "provider"; auth.token has all claims)", one.key));
      }
      ASSIGN_OR_RETURN(ClaimPath path, texts(*claims, one.key, Single::Yes));
      (one.key == "uid" ? to.uid : to.provider) = std::move(path);
    }
    return {};
  }

  const std::string_view text_;
  const ReadFile& read_;
};

}  // namespace

bool is_url(std::string_view keys_at) { return keys_at.starts_with("https://") || keys_at.starts_with("http://"); }

db::Result<AuthConfig> parse_auth_config(std::string_view text, const ReadFile& read) {
  return Reader(text, read).config();
}

// Paths in the file are seen from its folder, and so they are stored: the server may run in another one.
db::Result<AuthConfig> load_auth_config(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const ReadFile read = [&](const std::string& name) -> db::Result<std::string> {
    ASSIGN_OR_RETURN(Fetched file, fetch_file((folder / name).string()));
    return std::move(file.body);
  };
  ASSIGN_OR_RETURN(const Fetched file, fetch_file(path));
  auto config = parse_auth_config(file.body, read);
  if (!config.ok()) {
    std::string lines = config.error().message;
    while (lines.ends_with('\n')) lines.pop_back();
    return Error{ErrorCode::InvalidData, path + ":" + lines};
  }
  for (Issuer& issuer : config.value().issuers) {
    if (!issuer.keys_at.empty() && !is_url(issuer.keys_at)) issuer.keys_at = (folder / issuer.keys_at).string();
  }
  return config;
}

}  // namespace hearth::net

// S3 by libcurl, which signs requests itself (AWS Signature Version 4). Nothing that tells who asks is in a URL, in a
// command line or in what is logged: of an error only the store's code and sentence are told.
//
//   up to 16 MB    PUT key
//   more           POST key?uploads= ─▶ PUT key?partNumber=…&uploadId=… for each 16 MB ─▶ POST key?uploadId=…
//                  until the last request there is no file; one that is given up is removed (DELETE key?uploadId=…)
//
// A body is signed with its SHA-256, so the store refuses one that was changed on the way. No header may be taken away
// from libcurl here ("Expect:"): libcurl 7.88 signs it all the same, and the store misses it.
//
// A dump's size is not known when it begins. So S3Writing gathers one part in memory, and only a second part makes an
// upload of it: a dump of up to 16 MB is one PUT. The store answers each part with an ETag, and the last request lists
// them in order; that is what makes the parts a file, all at once. So nobody ever sees half a dump, and a backup that
// is killed leaves an upload, not a file. Uploads that nobody finishes are the store's to forget, by a rule of the
// bucket.
//
// What is tried again: no answer, 429, and 5xx, a few times with growing pauses. A part may be sent twice, since its
// number says where it belongs. A GET is not tried again once bytes of it were given on: they can't be taken back. The
// last request may have been heard although its answer was lost; tried again it is answered 404, and the backup fails
// with a whole file there. The index has its name as trash (run.cc), so the next backup removes it.
//
// 404 is an answer and no error here, as a file that is not there is a common question; who needs it to be there asks
// require().
#include "tools/backup/s3.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "db/base/text.h"
#include "db/dump/tree_rows.h"
#include "net/outgoing/curl.h"
#include "tools/rest_client.h"

namespace hearth::tools {
namespace {

constexpr std::chrono::milliseconds kS3PauseMin{500};

struct S3Request {
  const char* method = "GET";
  std::string key;    // below the prefix
  std::string query;  // as it is signed: encoded, names in order, each with "="
  std::string_view body{};
  BackupTarget::Take take{};  // of a 2xx answer's body; null: it is in the answer
  uint64_t bytes_max = UINT64_MAX;
};

struct S3Answer {
  long status = 0;
  std::string body;
  std::string etag;
};

// What stands between <name> and </name>; "": nothing.
std::string xml_text(std::string_view xml, const std::string& name) {
  const size_t from = xml.find("<" + name + ">");
  if (from == std::string_view::npos) return "";
  const size_t begin = from + name.size() + 2;
  const size_t end = xml.find("</" + name + ">", begin);
  return end == std::string_view::npos ? "" : std::string(xml.substr(begin, end - begin));
}

class S3Client {
 public:
  S3Client(const std::string& where, const std::atomic<bool>& stop) : stop_(stop) {
    const std::string rest = where.substr(std::string_view("s3://").size());
    const size_t slash = rest.find('/');
    const std::string bucket = rest.substr(0, slash);
    std::string prefix = slash == std::string::npos ? "" : rest.substr(slash + 1);
    while (prefix.ends_with('/')) prefix.pop_back();
    if (bucket.empty()) throw std::runtime_error(where + ": the bucket's name is missing: s3://bucket/prefix");
    name_ = env("AWS_ACCESS_KEY_ID");
    secret_ = env("AWS_SECRET_ACCESS_KEY");
    token_ = env("AWS_SESSION_TOKEN");
    if (name_.empty() || secret_.empty()) {
      throw std::runtime_error(where + ": who asks is not known; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    region_ = env("AWS_REGION");
    if (region_.empty()) region_ = env("AWS_DEFAULT_REGION");
    if (region_.empty()) region_ = "us-east-1";
    std::string endpoint = env("AWS_ENDPOINT_URL");
    while (endpoint.ends_with('/')) endpoint.pop_back();
    if (!endpoint.empty() && !endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
      throw std::runtime_error("AWS_ENDPOINT_URL is no URL: http://… or https://…");
    }
    // Certificates of Amazon's hosts are for names without a dot.
    const bool is_in_path = !endpoint.empty() || bucket.find('.') != std::string::npos;
    if (endpoint.empty()) {
      endpoint = is_in_path ? fmt::format("https://s3.{}.amazonaws.com", region_)
                            : fmt::format("https://{}.s3.{}.amazonaws.com", bucket, region_);
    }
    base_ = endpoint + "/" + (is_in_path ? percent_encoded(bucket) + "/" : "");
    if (!prefix.empty()) base_ += percent_encoded(prefix, "/") + "/";
    where_ = fmt::format("s3://{}/{}", bucket, prefix);
    handle_ = net::http::new_curl();
    if (handle_ == nullptr) throw std::runtime_error("libcurl could not be started");
  }

  // Sends a request, and sends it again where the store is overloaded or does not answer. Returns an answer of 2xx or
  // 404, and throws for any other, and when there is none.
  S3Answer ask(const S3Request& request) {
    for (int tries = 1;; ++tries) {
      std::string why;
      bool had_bytes = false;
      S3Answer answer = ask_once(request, why, had_bytes);
      if (stop_) throw std::runtime_error("stopped");
      const bool is_well = why.empty() && answer.status < 500 && answer.status != 429;
      if (is_well && (answer.status / 100 == 2 || answer.status == 404)) return answer;
      if (why.empty()) {
        std::string said = xml_text(answer.body, "Code");
        const std::string sentence = xml_text(answer.body, "Message").substr(0, 300);
        if (!sentence.empty()) said += ": " + sentence;
        why = fmt::format("the store answers {}{}{}", answer.status, said.empty() ? "" : ", ", said);
      }
      if (is_well || had_bytes || tries == kS3Tries) {
        throw std::runtime_error(fmt::format("{}/{}: {}", where_, request.key, why));
      }
      pause(kS3PauseMin * (1 << (tries - 1)));
    }
  }

  const std::string& where() const { return where_; }
  bool is_stopping() const { return stop_; }

 private:
  struct Transfer {
    const S3Request& request;
    const std::atomic<bool>& stop;
    CURL* handle;
    S3Answer answer{};
    uint64_t taken = 0;
    bool is_enough = false;
    std::string problem{};  // of whoever takes
  };

  static size_t on_s3_body(char* bytes, size_t size, size_t count, void* to) {
    auto& transfer = *static_cast<Transfer*>(to);
    std::string_view piece(bytes, size * count);
    long status = 0;
    curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2 || !transfer.request.take) {
      if (transfer.answer.body.size() + piece.size() > kS3AnswerBytesMax) return CURL_WRITEFUNC_ERROR;
      transfer.answer.body += piece;
      return size * count;
    }
    const uint64_t left = transfer.request.bytes_max - transfer.taken;
    piece = piece.substr(0, std::min<uint64_t>(left, piece.size()));
    transfer.taken += piece.size();
    try {
      transfer.request.take(piece);
    } catch (const std::exception& error) {
      transfer.problem = error.what();
      return CURL_WRITEFUNC_ERROR;
    }
    transfer.is_enough = transfer.taken >= transfer.request.bytes_max;
    return transfer.is_enough ? CURL_WRITEFUNC_ERROR : size * count;
  }

  static size_t on_s3_header(char* bytes, size_t size, size_t count, void* to) {
    std::string line(bytes, size * count);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    const size_t colon = line.find(':');
    if (colon == std::string::npos) return size * count;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (name != "etag") return size * count;
    const size_t value = line.find_first_not_of(' ', colon + 1);
    if (value != std::string::npos) static_cast<Transfer*>(to)->answer.etag = line.substr(value);
    return size * count;
  }

  static int on_s3_progress(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(to)->stop ? 1 : 0;
  }

  S3Answer ask_once(const S3Request& request, std::string& why, bool& had_bytes) {
    CURL* const curl = handle_.get();
    curl_easy_reset(curl);
    Transfer transfer{request, stop_, curl};
    char reason[CURL_ERROR_SIZE] = "";
    const std::string url =
        base_ + percent_encoded(request.key, "/") + (request.query.empty() ? "" : "?" + request.query);
    net::http::set_up(curl, reason);
    net::http::set_url(curl, url);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 15L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(kS3StallMax.count()));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_s3_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_s3_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_s3_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, ("aws:amz:" + region_ + ":s3").c_str());
    curl_easy_setopt(curl, CURLOPT_USERNAME, name_.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, secret_.c_str());
    const std::string method = request.method;
    if (method == "PUT" || method == "POST") {
      curl_easy_setopt(curl, CURLOPT_POST, 1L);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    if (method != "GET") curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method);
    db::Sha256 digest;
    digest.add(request.body);
    net::http::CurlFields fields;
    fields.add("x-amz-content-sha256: " + db::to_hex(std::move(digest).finish()));
    if (!token_.empty()) fields.add("x-amz-security-token: " + token_);
    if (method == "PUT" || method == "POST") fields.add("Content-Type: application/octet-stream");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
    const CURLcode code = curl_easy_perform(curl);
    had_bytes = transfer.taken > 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer.answer.status);
    if (!transfer.problem.empty()) {
      why = transfer.problem;
    } else if (code != CURLE_OK && !transfer.is_enough) {
      why = net::http::reason_of(code, reason);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
    return std::move(transfer.answer);
  }

  void pause(std::chrono::milliseconds time) const {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!stop_ && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(time, std::chrono::milliseconds(50)));
    }
    if (stop_) throw std::runtime_error("stopped");
  }

  const std::atomic<bool>& stop_;
  std::string name_, secret_, token_, region_;
  std::string base_;   // of URLs, to the end of the prefix
  std::string where_;  // for people
  net::http::CurlHandle handle_;
};

class S3Writing final : public BackupTarget::Writing {
 public:
  S3Writing(S3Client& client, std::string key) : client_(client), key_(std::move(key)) {}
  ~S3Writing() override {
    if (upload_.empty() || is_finished_ || client_.is_stopping()) return;
    try {
      client_.ask({"DELETE", key_, "uploadId=" + upload_});
    } catch (const std::exception&) {
      // The store forgets it by its own rules, if it has one for uploads that were given up.
    }
  }

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, kS3PartBytes - part_.size());
      part_ += piece;
      bytes.remove_prefix(piece.size());
      if (part_.size() == kS3PartBytes) send_part();
    }
  }

  void finish() override {
    if (upload_.empty()) {
      require(client_.ask({"PUT", key_, "", part_}));
      is_finished_ = true;
      return;
    }
    if (!part_.empty()) send_part();
    std::string list = "<CompleteMultipartUpload>";
    for (size_t i = 0; i < etags_.size(); ++i) {
      list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags_[i]);
    }
    list += "</CompleteMultipartUpload>";
    const S3Answer answer = client_.ask({"POST", key_, "uploadId=" + upload_, list});
    require(answer);
    // S3 may answer 200 at once, to keep the connection, and say in the body that putting the parts together has
    // failed.
    if (answer.body.find("<Error>") != std::string::npos) {
      throw std::runtime_error(
          fmt::format("{}/{}: the store says {}", client_.where(), key_, xml_text(answer.body, "Code")));
    }
    is_finished_ = true;
  }

 private:
  void require(const S3Answer& answer) const {
    if (answer.status / 100 == 2) return;
    throw std::runtime_error(
        fmt::format("{}/{}: the store answers {}; is there such a bucket?", client_.where(), key_, answer.status));
  }

  void send_part() {
    if (etags_.size() == kS3PartsMax) {
      throw std::runtime_error(
          fmt::format("{}/{}: a file in S3 has at most {} bytes here (kS3PartBytes × kS3PartsMax); "
                      "back namespaces up one by one",
                      client_.where(), key_, kS3PartBytes * kS3PartsMax));
    }
    if (upload_.empty()) {
      const S3Answer begun = client_.ask({"POST", key_, "uploads="});
      require(begun);
      upload_ = percent_encoded(xml_text(begun.body, "UploadId"));
      if (upload_.empty()) throw std::runtime_error(client_.where() + ": the store begins no upload in parts");
    }
    const S3Answer sent =
        client_.ask({"PUT", key_, fmt::format("partNumber={}&uploadId={}", etags_.size() + 1, upload_), part_});
    require(sent);
    etags_.push_back(sent.etag);
    part_.clear();
  }

  S3Client& client_;
  const std::string key_;
  std::string part_;
  std::string upload_;  // encoded; "": none is begun
  std::vector<std::string> etags_;
  bool is_finished_ = false;
};

class S3Target final : public BackupTarget {
 public:
  S3Target(const std::string& where, const std::atomic<bool>& stop) : client_(where, stop) {}
  std::unique_ptr<Writing> begin(const std::string& name) override {
    return std::make_unique<S3Writing>(client_, name);
  }
  std::optional<std::string> read(const std::string& name, uint64_t bytes_max) override {
    std::string all;
    S3Request request{"GET", name, ""};
    request.take = [&](std::string_view bytes) { all += bytes; };
    request.bytes_max = bytes_max;
    if (client_.ask(request).status == 404) return {};
    return all;
  }
  void fetch(const std::string& name, const Take& take) override {
    S3Request request{"GET", name, ""};
    request.take = take;
    if (client_.ask(request).status == 404) {
      throw std::runtime_error(fmt::format("{}/{}: there is no such file", client_.where(), name));
    }
  }
  void remove(const std::string& name) override { client_.ask({"DELETE", name, ""}); }

 private:
  S3Client client_;
};

}  // namespace

std::unique_ptr<BackupTarget> open_s3(const std::string& where, const std::atomic<bool>& stop) {
  return std::make_unique<S3Target>(where, stop);
}

}  // namespace hearth::tools

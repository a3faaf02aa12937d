// Floors for what `hearth bench` measures: the same work with nothing of Hearth in it.
//
//   stubs tree LEAVES FOLDER                 JSON text ─▶ simdjson ─▶ sorted rows ─▶ one file, ingested     put_s put_cpu_s
//                                            rows ─▶ an iterator ─▶ JSON text                             get_s get_cpu_s
//   stubs committer FOLDER SECONDS WINDOW    one thread puts, one commits all that wait, with one sync     sets_per_s
//                                            then one Get after the other of leaves that are there         get_us
//   stubs http PORT                          Boost.Beast, one thread: PUT keeps a leaf, GET gives it
//
// The first two print figures as one line of JSON; the last ends when it is killed. peers runs them (README.md). A stub
// checks what it did; it has no rules, no listeners, no order of keys but that of its texts, and no server around it.
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <simdjson.h>
#include <sys/resource.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

using Steady = std::chrono::steady_clock;

constexpr size_t kLeavesOfAnObject = 10;  // as those of `hearth bench tree`
constexpr size_t kKeys = 100'000;         // of the committer
constexpr size_t kGets = 300'000;

double seconds_since(Steady::time_point begin) { return std::chrono::duration<double>(Steady::now() - begin).count(); }

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

void must(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error("stubs: " + std::string(what));
}
void must(const rocksdb::Status& status) { must(status.ok(), status.ToString()); }

// As the store of Hearth (db/store/README.md).
rocksdb::Options store_options() {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 16 << 10;
  table.block_cache = rocksdb::NewLRUCache(256 << 20);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 8 << 20;
  options.compression = rocksdb::kLZ4Compression;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::unique_ptr<rocksdb::DB> open(const std::string& folder) {
  rocksdb::DB* db = nullptr;
  must(rocksdb::DB::Open(store_options(), folder + "/stub", &db));
  return std::unique_ptr<rocksdb::DB>(db);
}

// ---- One tree in, and out

std::string json_tree(size_t objects) {
  std::string text = "{";
  for (uint64_t index = 0; index < objects; ++index) {
    fmt::format_to(std::back_inserter(text), R"({}"object{:06}":)", index == 0 ? "" : ",", index);
    uint64_t random = (index + 1) * 0x9e3779b97f4a7c15;
    for (size_t leaf = 0; leaf < kLeavesOfAnObject; ++leaf) {
      random = random * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
      fmt::format_to(std::back_inserter(text), R"({}"field{}":"{:016x} of the leaf {:06}-{}")", leaf == 0 ? '{' : ',',
                     leaf, random, index, leaf);
    }
    text += '}';
  }
  return text + "}";
}

void ingest(rocksdb::DB& db, const std::string& text, const std::string& file) {
  simdjson::dom::parser parser;
  const simdjson::dom::element root = parser.parse(text);
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), store_options());
  must(writer.Open(file));
  std::string key;
  for (const auto [name, object] : simdjson::dom::object(root)) {
    for (const auto [field, leaf] : simdjson::dom::object(object)) {
      key.assign(name).append(1, '\0').append(field);
      const std::string_view value = leaf;
      must(writer.Put(key, rocksdb::Slice(value.data(), value.size())));
    }
  }
  must(writer.Finish());
  rocksdb::IngestExternalFileOptions how;
  how.move_files = true;
  must(db.IngestExternalFile({file}, how));
}

// Its texts need no escapes.
std::string print(rocksdb::DB& db) {
  std::string text = "{", object;
  const std::unique_ptr<rocksdb::Iterator> at(db.NewIterator(rocksdb::ReadOptions()));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    const std::string_view key(at->key().data(), at->key().size());
    const size_t end = key.find('\0');
    if (const std::string_view name = key.substr(0, end); name != object) {
      if (!object.empty()) text += "},";
      object = name;
      text.append(1, '"').append(name).append("\":{");
    } else {
      text += ',';
    }
    text.append(1, '"').append(key.substr(end + 1)).append("\":\"").append(at->value().data(), at->value().size()) +=
        '"';
  }
  must(at->status());
  return text + "}}";
}

void measure_tree(size_t leaves, const std::string& folder) {
  const std::string text = json_tree(leaves / kLeavesOfAnObject);
  const auto db = open(folder);
  auto begin = Steady::now();
  double cpu = cpu_seconds();
  ingest(*db, text, folder + "/stub.sst");
  const double put = seconds_since(begin), put_cpu = cpu_seconds() - cpu;
  begin = Steady::now();
  cpu = cpu_seconds();
  const std::string got = print(*db);
  const double get = seconds_since(begin), get_cpu = cpu_seconds() - cpu;
  must(got == text, "the tree came back changed");
  fmt::print("{{\"put_s\":{:.4f},\"get_s\":{:.4f},\"put_cpu_s\":{:.4f},\"get_cpu_s\":{:.4f}}}\n", put, get, put_cpu,
             get_cpu);
}

// ---- Puts with one sync for all that wait

class Committer {
 public:
  Committer(rocksdb::DB& db, size_t window) : db_(db), window_(window), thread_([this] { run(); }) {}
  ~Committer() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  // Waits while `window` puts are under way.
  void put(std::string key, std::string value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_ < window_; });
    ++under_way_;
    waiting_.emplace_back(std::move(key), std::move(value));
    if (waiting_.size() == 1) changed_.notify_all();
  }

 private:
  void run() {
    std::vector<std::pair<std::string, std::string>> group;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return is_over_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        group.swap(waiting_);
      }
      rocksdb::WriteBatch batch;
      for (const auto& [key, value] : group) must(batch.Put(key, value));
      rocksdb::WriteOptions how;
      how.sync = true;
      must(db_.Write(how, &batch));
      {
        const std::lock_guard lock(mutex_);
        under_way_ -= group.size();
      }
      changed_.notify_all();
      group.clear();
    }
  }

  rocksdb::DB& db_;
  const size_t window_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, std::string>> waiting_;  // guarded by mutex_, as all below
  size_t under_way_ = 0;
  bool is_over_ = false;
  std::thread thread_;
};

std::string key_of(uint64_t n) { return fmt::format("messages/k{:06}", n * 48'271 % kKeys); }

void measure_committer(const std::string& folder, double seconds, size_t window) {
  const auto db = open(folder);
  uint64_t sets = 0;
  auto begin = Steady::now();
  double cpu = cpu_seconds();
  {
    Committer committer(*db, window);
    for (; seconds_since(begin) < seconds; ++sets)
      committer.put(key_of(sets), fmt::format("sixteen bytes... {}", sets));
  }
  const double rate = static_cast<double>(sets) / seconds_since(begin);
  const double cpu_each = (cpu_seconds() - cpu) * 1e6 / static_cast<double>(sets);
  const uint64_t keys = std::min<uint64_t>(sets, kKeys);
  must(keys > 0, "nothing was put");
  rocksdb::PinnableSlice value;
  begin = Steady::now();
  for (uint64_t n = 0; n < kGets; ++n) {
    value.Reset();
    must(db->Get(rocksdb::ReadOptions(), db->DefaultColumnFamily(), key_of(n * 7'919 % keys), &value));
  }
  fmt::print("{{\"sets_per_s\":{:.0f},\"set_cpu_us\":{:.3f},\"get_us\":{:.3f}}}\n", rate, cpu_each,
             seconds_since(begin) * 1e6 / kGets);
}

// ---- HTTP

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using Leaves = std::unordered_map<std::string, std::string>;

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(tcp::socket socket, Leaves& leaves) : socket_(std::move(socket)), leaves_(leaves) {}

  void read() {
    request_ = {};
    http::async_read(socket_, buffer_, request_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (!error) self->answer();
    });
  }

 private:
  void answer() {
    std::string path(request_.target().substr(0, request_.target().find('?')));
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::content_type, "application/json; charset=utf-8");
    response_.keep_alive(request_.keep_alive());
    if (request_.method() == http::verb::put) leaves_[path] = request_.body();
    const auto found = leaves_.find(path);
    response_.body() = found != leaves_.end() ? found->second : first_text(path);
    response_.prepare_payload();
    http::async_write(socket_, response_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (!error) self->read();
    });
  }
  // `hearth bench get` fills /rest with one PUT, which the stub takes no part of: a leaf's text follows from its key.
  static std::string first_text(const std::string& path) {
    const size_t key = path.rfind("/k");
    if (key == std::string::npos || !path.ends_with(".json")) return "null";
    return "\"sixteen bytes... " + path.substr(key + 2, path.size() - key - 7) + " 0\"";
  }

  tcp::socket socket_;
  Leaves& leaves_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

void accept_one(tcp::acceptor& acceptor, Leaves& leaves) {
  acceptor.async_accept([&](beast::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<HttpConnection>(std::move(socket), leaves)->read();
    }
    accept_one(acceptor, leaves);
  });
}

void serve_http(unsigned short port) {
  boost::asio::io_context io(1);
  Leaves leaves;
  tcp::acceptor acceptor(io, {boost::asio::ip::make_address("127.0.0.1"), port});
  accept_one(acceptor, leaves);
  io.run();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string what = words.empty() ? "" : words.front();
  try {
    if (what == "tree" && words.size() == 3) {
      measure_tree(std::stoul(words[1]), words[2]);
    } else if (what == "committer" && words.size() == 4) {
      measure_committer(words[1], std::stod(words[2]), std::stoul(words[3]));
    } else if (what == "http" && words.size() == 2) {
      serve_http(static_cast<unsigned short>(std::stoul(words[1])));
    } else {
      must(false, "say tree LEAVES FOLDER, committer FOLDER SECONDS WINDOW, or http PORT");
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

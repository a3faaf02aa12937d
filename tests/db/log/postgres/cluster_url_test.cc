#include "db/log/postgres/cluster_url.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

TEST_CASE("Cluster's URL: from an argument, from a file, from the environment", "[postgres]") {
  const TempFolder folder;
  const std::string path = folder.path() + "/url";
  std::ofstream(path) << "postgresql://ada:secret@db1,db2/hearth\r\nnot this\n";
  chmod(path.c_str(), 0600);
  unsetenv(kClusterVariable);

  CHECK(read_cluster_url("postgresql://db1/hearth").value().url == "postgresql://db1/hearth");
  const auto of_file = read_cluster_url("file:" + path);
  REQUIRE(of_file.ok());
  CHECK(of_file.value().url == "postgresql://ada:secret@db1,db2/hearth");
  CHECK(of_file.value().warning.empty());

  const auto none = read_cluster_url("");
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().message.find(kClusterVariable) != std::string::npos);
  setenv(kClusterVariable, ("file:" + path).c_str(), 1);
  CHECK(read_cluster_url("").value().url == of_file.value().url);
  CHECK(read_cluster_url("postgres://other/").value().url == "postgres://other/");
  unsetenv(kClusterVariable);
}

TEST_CASE("Cluster's URL: a file that others may read is warned of, and one that is none is refused without its text",
          "[postgres]") {
  const TempFolder folder;
  const std::string path = folder.path() + "/url";
  std::ofstream(path) << "postgresql://ada:secret@db1/hearth\n";
  chmod(path.c_str(), 0640);
  const auto read = read_cluster_url("file:" + path);
  REQUIRE(read.ok());
  CHECK(read.value().warning.find("chmod 600") != std::string::npos);
  CHECK(read.value().warning.find("secret") == std::string::npos);

  std::ofstream(path) << "ada:secret@db1\n";
  for (const std::string& given : {"file:" + path, std::string("file:/no/such/file"), std::string("ada:secret@db1")}) {
    const auto refused = read_cluster_url(given);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::InvalidArgument);
    CHECK(refused.error().message.find("secret") == std::string::npos);
  }
}

// Targets of Supabase clients. What is theirs by its raw text is theirs when it is taken apart.
#include "net/supabase/project.h"

#include "net/router.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::net;

FUZZ_TARGET(supabase_project) {
  if (owner_of(bytes) != Owner::Supabase) return;
  const auto project = supabase::project_of(bytes, "localhost");
  if (!project.ok()) return;
  const auto& segments = project.value().target.segments;
  const size_t behind = segments.size() - project.value().rest.size();
  hearth::test::invariant(behind == 2 || (behind == 4 && segments[0] == "ns"), "a service, and a namespace or none");
  const bool is_rest = project.value().service == supabase::Service::Rest;
  hearth::test::invariant(segments[behind - 2] == (is_rest ? "rest" : "realtime") && segments[behind - 1] == "v1",
                          "the service stands before the rest");
}

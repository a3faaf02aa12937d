// PROXY headers: what is one is one whatever follows, and bytes are missing only as long as they may still come.
#include "net/io/proxy_header.h"

#include "tests/fuzz/fuzz.h"

using namespace hearth::net::http;
using hearth::test::invariant;

FUZZ_TARGET(proxy_header) {
  const auto whole = find_proxy_header(bytes);
  if (!whole.ok()) {
    invariant(!whole.error().message.empty(), "a refusal says why");
    return;
  }
  if (!whole.value()) {
    invariant(bytes.size() < kProxyHeaderBytesMax, "a header has a limit");
    return;
  }
  const ProxyHeader& header = *whole.value();
  invariant(header.bytes <= bytes.size() && header.bytes <= kProxyHeaderBytesMax, "a header is of the bytes given");
  for (size_t size = 0; size < header.bytes; ++size) {
    const auto part = find_proxy_header(bytes.substr(0, size));
    invariant(part.ok() && !part.value(), "a header is whole with its last byte, and none before");
  }
  const auto alone = find_proxy_header(bytes.substr(0, header.bytes));
  invariant(
      alone.ok() && alone.value() && alone.value()->bytes == header.bytes && alone.value()->source == header.source,
      "what follows a header does not change it");
}

// IpNetwork: "10.0.0.0/8", as insecure registries and NO_PROXY are given.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace quoll::mgr {

class IpNetwork {
 public:
  // Nothing for what is no ADDRESS/BITS.
  static std::optional<IpNetwork> parse(const std::string& text);
  // An address of its own. Nothing for what is none.
  static std::optional<IpNetwork> of_address(const std::string& text);

  // False for what is no address.
  bool contains(const std::string& address) const;

 private:
  std::vector<unsigned char> address_;
  unsigned prefix_ = 0;
};

}  // namespace quoll::mgr

// What the host has for networks.
#pragma once

#include <string>
#include <vector>

namespace quoll::mgr {

// Why there can be no bridges here, in words for /info; empty where nothing is missing.
std::vector<std::string> bridge_shortcomings();

// Where aardvark-dns is; empty: nowhere.
std::string find_aardvark();

}  // namespace quoll::mgr

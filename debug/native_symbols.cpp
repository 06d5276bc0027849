#include "debug/native_symbols.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "debug/symbol.hpp"
#include "task/unique_fd.hpp"

namespace quoll::debug {
namespace {

// A profile of a busy daemon has some thousands.
constexpr std::size_t kKnownMax = 32 * 1024;

struct Module {
  std::string path;  // "" for the program itself
  std::uintptr_t bias = 0;
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> segments;
  bool has(std::uintptr_t pc) const {
    return std::any_of(segments.begin(), segments.end(), [pc](auto& s) { return pc >= s.first && pc < s.second; });
  }
};

int add_module(dl_phdr_info* info, std::size_t, void* data) {
  auto& modules = *static_cast<std::vector<Module>*>(data);
  Module module{info->dlpi_name, info->dlpi_addr, {}};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const std::uintptr_t start = info->dlpi_addr + header.p_vaddr;
    module.segments.emplace_back(start, start + header.p_memsz);
  }
  modules.push_back(std::move(module));
  return 0;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string program_name() {
  char path[4096];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? base_name(std::string(path, static_cast<std::size_t>(size))) : "program";
}

// A whole file, mapped for the time of a search.
class MappedFile {
 public:
  explicit MappedFile(const char* path) {
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0 || status.st_size <= 0) return;
    void* const start =
        ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (start == MAP_FAILED) return;
    start_ = static_cast<const char*>(start);
    size_ = static_cast<std::size_t>(status.st_size);
  }
  ~MappedFile() {
    if (start_ != nullptr) ::munmap(const_cast<char*>(start_), size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Empty where the file does not have it all.
  template <typename T>
  std::span<const T> array(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset > size_ || bytes > size_ - offset || offset % alignof(T) != 0) return {};
    return {reinterpret_cast<const T*>(start_ + offset), static_cast<std::size_t>(bytes / sizeof(T))};
  }

 private:
  const char* start_ = nullptr;
  std::size_t size_ = 0;
};

// The symbol tables of a file: .symtab, or .dynsym where it is stripped.
class SymbolTable {
 public:
  explicit SymbolTable(const MappedFile& file) {
    const auto header = file.array<ElfW(Ehdr)>(0, sizeof(ElfW(Ehdr)));
    if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return;
    const auto sections =
        file.array<ElfW(Shdr)>(header[0].e_shoff, std::uint64_t{header[0].e_shnum} * sizeof(ElfW(Shdr)));
    for (const unsigned type : {SHT_SYMTAB, SHT_DYNSYM}) {
      for (const ElfW(Shdr) & section : sections) {
        if (section.sh_type != type || section.sh_link >= sections.size()) continue;
        const ElfW(Shdr)& names = sections[section.sh_link];
        symbols_ = file.array<ElfW(Sym)>(section.sh_offset, section.sh_size);
        names_ = file.array<char>(names.sh_offset, names.sh_size);
        if (!symbols_.empty()) return;
      }
    }
  }

  // Calls found(index, symbol) for each of the sorted `addresses` (of the file, not of memory) that a function covers.
  template <typename F>
  void search(const std::vector<std::uintptr_t>& addresses, F found) const {
    for (const ElfW(Sym) & symbol : symbols_) {
      const unsigned type = symbol.st_info & 0xf;
      if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_size == 0) continue;
      auto address = std::lower_bound(addresses.begin(), addresses.end(), symbol.st_value);
      for (; address != addresses.end() && *address < symbol.st_value + symbol.st_size; ++address) {
        found(static_cast<std::size_t>(address - addresses.begin()), symbol);
      }
    }
  }

  std::string_view name_of(const ElfW(Sym) & symbol) const {
    if (symbol.st_name >= names_.size()) return {};
    const char* const name = names_.data() + symbol.st_name;
    return {name, ::strnlen(name, names_.size() - symbol.st_name)};
  }

 private:
  std::span<const ElfW(Sym)> symbols_;
  std::span<const char> names_;
};

// Names the sorted `pcs`, which lie in the module.
std::vector<NativeSymbol> search_module(const Module& module, const std::vector<std::uintptr_t>& pcs) {
  const bool is_program = module.path.empty();
  const std::string name = is_program ? program_name() : base_name(module.path);
  std::vector<NativeSymbol> symbols;
  std::vector<std::uintptr_t> addresses;
  for (const std::uintptr_t pc : pcs) {
    symbols.push_back({"[" + name + "]", name, pc});
    addresses.push_back(pc - module.bias);
  }
  const MappedFile file(is_program ? "/proc/self/exe" : module.path.c_str());
  const SymbolTable table(file);
  table.search(addresses, [&](std::size_t index, const ElfW(Sym) & symbol) {
    const std::string_view mangled = table.name_of(symbol);
    if (mangled.empty()) return;
    symbols[index].function = native_function_name(mangled);
    symbols[index].start = symbol.st_value + module.bias;
  });
  return symbols;
}

using Names = std::unordered_map<std::uintptr_t, NativeSymbol>;

// Adds the names of sorted addresses.
void search_all(const std::vector<std::uintptr_t>& pcs, Names& names) {
  std::vector<Module> modules;
  ::dl_iterate_phdr(add_module, &modules);
  for (const Module& module : modules) {
    std::vector<std::uintptr_t> inside;
    std::copy_if(pcs.begin(), pcs.end(), std::back_inserter(inside), [&](auto pc) { return module.has(pc); });
    if (inside.empty()) continue;
    std::vector<NativeSymbol> symbols = search_module(module, inside);
    for (std::size_t i = 0; i < inside.size(); ++i) names.insert_or_assign(inside[i], std::move(symbols[i]));
  }
}

class NameCache {
 public:
  std::vector<NativeSymbol> find(std::span<const std::uintptr_t> pcs) {
    std::lock_guard lock(mutex_);
    std::vector<std::uintptr_t> unknown;
    for (const std::uintptr_t pc : pcs) {
      if (!names_.contains(pc)) unknown.push_back(pc);
    }
    std::sort(unknown.begin(), unknown.end());
    unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
    Names added;
    if (!unknown.empty()) search_all(unknown, added);
    if (names_.size() + added.size() <= kKnownMax) {
      names_.insert(added.begin(), added.end());
      added.clear();
    }
    std::vector<NativeSymbol> symbols;
    symbols.reserve(pcs.size());
    for (const std::uintptr_t pc : pcs) symbols.push_back(name_of(pc, added));
    return symbols;
  }

 private:
  NativeSymbol name_of(std::uintptr_t pc, const Names& added) const {
    if (const auto known = names_.find(pc); known != names_.end()) return known->second;
    if (const auto known = added.find(pc); known != added.end()) return known->second;
    return {"unknown", "", pc};
  }

  std::mutex mutex_;
  Names names_;  // guarded by mutex_
};

// "f()::{lambda(int)#2}::operator()(int) const" -> "f()::lambda(int) const"
std::string without_lambda_marks(std::string text) {
  for (std::size_t open = text.find("{lambda("); open != std::string::npos; open = text.find("{lambda(", open)) {
    std::size_t close = open;
    for (int depth = 0; close < text.size(); ++close) {
      if (text[close] == '{') ++depth;
      if (text[close] == '}' && --depth == 0) break;
    }
    constexpr std::string_view kCall = "::operator()";
    if (text.compare(close + 1, kCall.size(), kCall) == 0) close += kCall.size();
    text.replace(open, close + 1 - open, "lambda");
  }
  return text;
}

}  // namespace

std::string collapse_template_arguments(const std::string& name) {
  constexpr std::string_view kArguments = "<...>";
  std::string out;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (depth == 0 && name.compare(i, 8, "operator") == 0) return out + name.substr(i);  // `<` may be its name
    if (c == '<' && depth++ == 0) out += kArguments;
    if (depth == 0) out += c;
    if (c == '>' && depth > 0 && name[i - 1] != '-') --depth;
  }
  if (out.ends_with(kArguments)) out.resize(out.size() - kArguments.size());
  return out;
}

std::string native_function_name(std::string_view symbol) {
  // Parts of one function: clang's coroutine clones (f.resume), outlined and constant-propagated ones.
  const std::string mangled(symbol.substr(0, symbol.find('.', 1)));
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
  if (status != 0 || !demangled) return mangled;
  std::string text = without_lambda_marks(demangled.get());
  for (std::size_t tag = text.find("[abi:"); tag != std::string::npos; tag = text.find("[abi:", tag)) {
    text.erase(tag, text.find(']', tag) - tag + 1);
  }
  return collapse_template_arguments(clean_function_name(text));
}

std::vector<NativeSymbol> symbolize_native(std::span<const std::uintptr_t> pcs) {
  // Never destroyed: threads may still be asked for their stacks while the process ends.
  static NameCache& cache = *new NameCache;
  return cache.find(pcs);
}

}  // namespace quoll::debug

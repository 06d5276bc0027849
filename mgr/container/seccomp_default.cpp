#include "mgr/container/seccomp_default.hpp"

#include <nlohmann/json.hpp>
#include <span>

namespace quoll::mgr {
namespace {

using nlohmann::json;
using Names = std::string_view;  // words separated by spaces

// Calls of programs that do nothing special, by what they are about.
constexpr auto kAllowed = std::to_array<Names>({
    // files and directories by name
    "access chdir chmod chown chown32 creat faccessat faccessat2 fchdir fchmodat fchmodat2 fchownat getcwd getdents "
    "getdents64 lchown lchown32 link linkat mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat "
    "openat2 "
    "readlink readlinkat rename renameat renameat2 rmdir symlink symlinkat truncate truncate64 umask unlink unlinkat",
    "fstat fstat64 fstatat64 fstatfs fstatfs64 lstat lstat64 stat stat64 statfs statfs64 statx statmount listmount "
    "ustat",
    "futimesat utime utimensat utimensat_time64 utimes fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr "
    "listxattr llistxattr lremovexattr lsetxattr removexattr setxattr getxattrat listxattrat removexattrat setxattrat",
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch fanotify_mark",
    // open files
    "cachestat close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fchmod fchown fchown32 "
    "fcntl "
    "fcntl64 fdatasync flock fsync ftruncate ftruncate64 ioctl _llseek lseek pread64 preadv preadv2 pwrite64 pwritev "
    "pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range syncfs tee vmsplice write writev",
    "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit",
    "pipe pipe2 memfd_create memfd_secret eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_gettime "
    "timerfd_gettime64 timerfd_settime timerfd_settime64",
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old poll ppoll "
    "ppoll_time64 pselect6 pselect6_time64 select _newselect",
    // memory
    "brk madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap "
    "mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages",
    // processes, threads and who they are
    "capget capset execve execveat exit exit_group fork getpgid getpgrp getpid getppid getpriority getrlimit getrusage "
    "getsid gettid get_robust_list get_thread_area ioprio_get ioprio_set pidfd_open pidfd_send_signal prctl prlimit64 "
    "rseq "
    "seccomp setpgid setpriority setrlimit setsid set_robust_list set_thread_area set_tid_address ugetrlimit uretprobe "
    "vfork "
    "wait4 waitid waitpid",
    "getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid "
    "getresuid32 "
    "getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 "
    "setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32",
    "sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler "
    "sched_yield getcpu",
    "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake restart_syscall",
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self",
    "ptrace",  // of one's own children; safe since kernel 4.8
    // signals and time
    "kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signal sigaction sigpending sigprocmask sigreturn sigsuspend "
    "tgkill tkill",
    "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time times timer_create "
    "timer_delete "
    "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64",
    // sockets and System V objects
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 "
    "recvmsg "
    "send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair",
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
    "mq_unlink "
    "msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget",
    // the system, and the rest
    "getrandom riscv_hwprobe sysinfo uname lsm_get_self_attr lsm_list_modules lsm_set_self_attr",
});

// Of some processors only. libseccomp passes over names that the processor does not have, so they need no condition.
constexpr auto kAllowedByProcessor = std::to_array<Names>({
    "arch_prctl modify_ldt",                                                                                   // x86
    "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2 riscv_flush_icache",  // others
});

struct CapabilityRule {
  std::string_view capability;
  Names names;
};

constexpr auto kAllowedWith = std::to_array<CapabilityRule>({
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount "
     "open_tree "
     "perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module init_module finit_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev"},
    {"CAP_SYS_RAWIO", "iopl ioperm"},
    {"CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYSLOG", "syslog"},
    {"CAP_BPF", "bpf"},
    {"CAP_PERFMON", "perf_event_open"},
});

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
constexpr uint64_t kCloneNamespaces = 0x7E020000;
constexpr uint64_t kAddressFamilyVsock = 40;
constexpr int kEperm = 1;
constexpr int kEnosys = 38;

// PER_LINUX, PER_LINUX32, each with UNAME26, and the question for the present one.
constexpr auto kPersonalities = std::to_array<uint64_t>({0x0, 0x8, 0x20000, 0x20008, 0xffffffff});

void append_words(Names names, json& list) {
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    if (end > 0) list.push_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

json words(Names names) {
  json list = json::array();
  append_words(names, list);
  return list;
}

json rule(json names) { return {{"names", std::move(names)}, {"action", "SCMP_ACT_ALLOW"}}; }

json rule_if(Names names, const char* op, uint64_t value, uint64_t value_two = 0) {
  json conditional = rule(words(names));
  conditional["args"] = json::array({{{"index", 0}, {"value", value}, {"valueTwo", value_two}, {"op", op}}});
  return conditional;
}

void add_conditional_rules(const std::set<std::string>& capabilities, json& rules) {
  for (const CapabilityRule& with : kAllowedWith) {
    if (capabilities.contains(std::string(with.capability))) rules.push_back(rule(words(with.names)));
  }
  for (const uint64_t personality : kPersonalities) rules.push_back(rule_if("personality", "SCMP_CMP_EQ", personality));
  // A virtual machine's sockets would lead around the network namespace.
  rules.push_back(rule_if("socket", "SCMP_CMP_NE", kAddressFamilyVsock));
  if (capabilities.contains("CAP_SYS_ADMIN")) return;
  // Threads and processes, but no new namespaces. The flags of clone3 are in memory, where a filter cannot look: as if
  // the kernel were too old for it, so that the C library falls back to clone.
  rules.push_back(rule_if("clone", "SCMP_CMP_MASKED_EQ", kCloneNamespaces, 0));
  rules.push_back({{"names", {"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", kEnosys}});
}

json architectures() {
#if defined(__x86_64__)
  // Not x32, which distributions' kernels have switched off: each architecture more costs every start 4 ms of
  // compiling.
  return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
#elif defined(__aarch64__)
  return {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
  return json::array();  // the runtime's own
#endif
}

}  // namespace

json default_seccomp(const std::set<std::string>& capabilities) {
  json names = json::array();
  for (const Names group : kAllowed) append_words(group, names);
  for (const Names group : kAllowedByProcessor) append_words(group, names);
  json rules = json::array({rule(std::move(names))});
  add_conditional_rules(capabilities, rules);
  return {{"defaultAction", "SCMP_ACT_ERRNO"},
          {"defaultErrnoRet", kEperm},
          {"architectures", architectures()},
          {"syscalls", std::move(rules)}};
}

}  // namespace quoll::mgr

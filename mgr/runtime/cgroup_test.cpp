#include "mgr/runtime/cgroup.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

TEST(cgroup, reads_block_io_of_both_versions) {
  const auto v1 = parse_blkio("8:0 Read 4096\n8:0 Write 100\n8:0 Total 4196\nTotal 4196\n");
  ASSERT_EQ(v1.size(), 3u);
  EXPECT_EQ(v1[0].operation, "read");
  EXPECT_EQ(v1[0].value, 4096u);
  EXPECT_EQ(v1[1].major, 8u);
  const auto v2 = parse_io_stat("254:16 rbytes=1 wbytes=22 rios=3 wios=4 dbytes=0 dios=0\n7:0 \n");
  ASSERT_EQ(v2.size(), 2u);
  EXPECT_EQ(v2[1].operation, "write");
  EXPECT_EQ(v2[1].value, 22u);
  EXPECT_EQ(v2[1].minor, 16u);
}

TEST(cgroup, reads_interfaces_but_for_loopback) {
  const auto networks = parse_net_dev(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
      "c\n"
      "    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0 "
      "  0\n"
      "  eth0:    5338      36    1    2    0     0          0         9      648       8    3    4    0     0       0 "
      "  0\n");
  ASSERT_EQ(networks.size(), 1u);
  EXPECT_EQ(networks[0].interface, "eth0");
  EXPECT_EQ(networks[0].rx_bytes, 5338u);
  EXPECT_EQ(networks[0].rx_dropped, 2u);
  EXPECT_EQ(networks[0].tx_bytes, 648u);
  EXPECT_EQ(networks[0].tx_errors, 3u);
}

TEST(cgroup, adds_up_the_hosts_time) {
  CpuUsage cpu;
  parse_host_cpu("cpu  1 2 3 4 5 6 7 100 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nintr 5\n", cpu);
  EXPECT_EQ(cpu.online_cpus, 2u);
  EXPECT_EQ(cpu.system_ns, 28u * 10'000'000);
}

TEST(cgroup, what_is_not_there_is_zero) {
  const ResourceUsage usage = read_usage("/no/such/cgroup", 0);
  EXPECT_EQ(usage.cpu.total_ns, 0u);
  EXPECT_GT(usage.memory.limit, 0u);
  EXPECT_GT(usage.cpu.system_ns, 0u);
  EXPECT_TRUE(read_processes("/no/such/cgroup").empty());
}

}  // namespace
}  // namespace quoll::mgr

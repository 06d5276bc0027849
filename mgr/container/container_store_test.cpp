#include "mgr/container/container_store.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mgr/container/container_config_samples.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

class ContainerStoreTest : public testing::Test {
 protected:
  ContainerStoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quoll_store_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    reopen();
  }
  ~ContainerStoreTest() override {
    database_.reset();
    std::filesystem::remove_all(dir_);
  }

  void reopen() {
    store_.reset();
    database_.reset();
    database_ = Database::open(dir_ + "/state.db");
    store_ = std::make_unique<ContainerStore>(*database_);
  }

  static ContainerRecord record(char digit, const std::string& name, int64_t created_ns) {
    ContainerRecord record;
    record.id = std::string(64, digit);
    record.name = name;
    record.created_ns = created_ns;
    record.image_id = "sha256:" + std::string(64, 'f');
    record.config = parse_container_config(nlohmann::json::parse(kDockerCreateHostModes));
    return record;
  }

  template <typename F>
  static ErrorClass class_thrown_by(F f) {
    try {
      f();
    } catch (const Error& error) {
      return error.error_class();
    }
    return ErrorClass::kInternal;
  }

  std::string dir_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<ContainerStore> store_;
};

TEST_F(ContainerStoreTest, records_come_back_whole_and_oldest_first_after_reopening) {
  const ContainerRecord second = record('a', "second", 20), first = record('b', "first", 10);
  store_->save(second);
  store_->save(first);
  reopen();
  EXPECT_EQ(store_->load_all(), (std::vector{first, second}));
}

TEST_F(ContainerStoreTest, changes_are_kept) {
  ContainerRecord changed = record('a', "one", 10);
  store_->save(changed);
  changed.name = "renamed";
  changed.config.labels["new"] = "label";
  changed.state.mark_running(42, 100);
  store_->update(changed);
  changed.state.mark_exited(3, true, 200);
  store_->update_state(changed.id, changed.state);
  reopen();
  EXPECT_EQ(store_->load_all(), std::vector{changed});
}

TEST_F(ContainerStoreTest, a_taken_name_or_id_is_a_conflict_and_changes_nothing) {
  const ContainerRecord one = record('a', "one", 10);
  ContainerRecord two = record('b', "two", 20);
  store_->save(one);
  store_->save(two);
  EXPECT_EQ(class_thrown_by([&] { store_->save(record('a', "other", 30)); }), ErrorClass::kConflict);
  EXPECT_EQ(class_thrown_by([&] { store_->save(record('c', "one", 30)); }), ErrorClass::kConflict);
  two.name = "one";
  EXPECT_EQ(class_thrown_by([&] { store_->update(two); }), ErrorClass::kConflict);
  two.name = "two";
  EXPECT_EQ(store_->load_all(), (std::vector{one, two}));
}

TEST_F(ContainerStoreTest, what_is_not_there_cannot_be_changed_and_need_not_be_removed) {
  const ContainerRecord one = record('a', "one", 10);
  EXPECT_EQ(class_thrown_by([&] { store_->update(one); }), ErrorClass::kNotFound);
  EXPECT_EQ(class_thrown_by([&] { store_->update_state(one.id, {}); }), ErrorClass::kNotFound);
  store_->remove(one.id);
  store_->save(one);
  store_->remove(one.id);
  reopen();
  EXPECT_TRUE(store_->load_all().empty());
  store_->save(one);
}

TEST_F(ContainerStoreTest, several_changes_in_one_transaction_are_all_or_nothing) {
  const ContainerRecord one = record('a', "one", 10);
  {
    Transaction transaction(*database_);
    store_->save(one);
  }
  EXPECT_TRUE(store_->load_all().empty());
}

TEST_F(ContainerStoreTest, a_damaged_record_names_its_container) {
  store_->save(record('a', "one", 10));
  database_->execute("UPDATE containers SET state = '{'");
  try {
    store_->load_all();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kFailedPrecondition);
    EXPECT_TRUE(error.message().starts_with("stored record of container " + std::string(64, 'a') + " is damaged: "))
        << error.message();
  }
}

}  // namespace
}  // namespace quoll::mgr

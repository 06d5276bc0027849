# What `cmake --install` gives to other programs: find_package(quoll CONFIG COMPONENTS task http debug).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# In the order in which they need each other, and the packages that each one's targets name.
set(QUOLL_COMPONENTS task http debug)
set(QUOLL_PACKAGES_task "Threads" "Boost 1.81")
set(QUOLL_PACKAGES_http "OpenSSL")
set(QUOLL_PACKAGES_debug "ZLIB" "nlohmann_json")

set(QUOLL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/quoll)

# Installed headers live below quoll/ and name each other so: a user's own folder called task or http hides none.
set(headers)
foreach(component ${QUOLL_COMPONENTS})
  file(GLOB_RECURSE found CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/${component}/*.hpp)
  list(FILTER found EXCLUDE REGEX "test_support")
  list(APPEND headers ${found})
endforeach()
install(CODE "set(QUOLL_HEADERS \"${headers}\")
  set(QUOLL_SOURCE_DIR \"${PROJECT_SOURCE_DIR}\")
  set(QUOLL_INCLUDE_DIR \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")"
  COMPONENT library)
install(SCRIPT ${PROJECT_SOURCE_DIR}/cmake/install_headers.cmake COMPONENT library)

# Asio is compiled once, in quoll_task, so all users must see it the same way; stacks are walked by frame pointers.
target_compile_features(quoll_task PUBLIC cxx_std_20)
target_compile_definitions(quoll_task INTERFACE
  $<INSTALL_INTERFACE:BOOST_ASIO_SEPARATE_COMPILATION> $<INSTALL_INTERFACE:BOOST_BEAST_SEPARATE_COMPILATION>
  $<INSTALL_INTERFACE:BOOST_ASIO_NO_DEPRECATED>)
target_compile_options(quoll_task INTERFACE $<INSTALL_INTERFACE:-fno-omit-frame-pointer>)

set(QUOLL_FIND_PACKAGES "")
foreach(component ${QUOLL_COMPONENTS})
  set_target_properties(quoll_${component} PROPERTIES EXPORT_NAME ${component})
  install(TARGETS quoll_${component} EXPORT quoll-${component} COMPONENT library
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT quoll-${component} NAMESPACE quoll:: DESTINATION ${QUOLL_PACKAGE_DIR} COMPONENT library)
  string(APPEND QUOLL_FIND_PACKAGES "set(quoll_packages_${component} \"${QUOLL_PACKAGES_${component}}\")\n")
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/quoll-config.cmake.in
  ${PROJECT_BINARY_DIR}/quoll-config.cmake INSTALL_DESTINATION ${QUOLL_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/quoll-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/quoll-config.cmake ${PROJECT_BINARY_DIR}/quoll-config-version.cmake
  DESTINATION ${QUOLL_PACKAGE_DIR} COMPONENT library)

# Debian packages of what is installed, by cpack:
#
#     cmake --preset deb
#     cmake --build --preset deb
#     cpack --config build/deb/CPackConfig.cmake -B build/deb
#
# DEBFULLNAME and DEBEMAIL name who makes them, as for Debian's own tools.
find_program(BB_GZIP gzip)
mark_as_advanced(BB_GZIP)
if(NOT BB_GZIP)
  message(STATUS "cpack is not set up: gzip was not found")
  return()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bb-contacts)
set(CPACK_PACKAGE_VENDOR "The bb_contacts authors")
set(CPACK_PACKAGE_CONTACT "${CPACK_PACKAGE_VENDOR} <authors@bb-contacts.invalid>")
if(DEFINED ENV{DEBEMAIL})
  set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON) # on the same version
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 0upstream1) # older than a package of Debian itself
set(CPACK_DEBIAN_PACKAGE_SOURCE bb-contacts)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS
  "${PROJECT_BINARY_DIR}/lib" "${PROJECT_BINARY_DIR}/tests/conformance")

# bb_compress(FILE NAME): Debian wants its changes compressed, with no time in the file.
function(bb_compress file name)
  execute_process(COMMAND "${BB_GZIP}" -9nc "${file}" OUTPUT_FILE "${PROJECT_BINARY_DIR}/${name}.gz"
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

string(TIMESTAMP changelog_date "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH's, if set
configure_file(cmake/debian/changelog.in "${PROJECT_BINARY_DIR}/changelog.Debian" @ONLY)
bb_compress("${PROJECT_BINARY_DIR}/changelog.Debian" changelog.Debian)
bb_compress("${PROJECT_SOURCE_DIR}/lib/CHANGELOG.md" changelog)

# bb_add_package(COMPONENT NAME SECTION DESCRIPTION): the installed files of a component, and the
# files that Debian wants beside them, which `cmake --install` leaves out.
macro(bb_add_package component name section description)
  string(TOUPPER ${component} upper)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME "${name}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION "${section}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${description}")
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" RENAME copyright
    DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/${name}" COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES "${PROJECT_BINARY_DIR}/changelog.Debian.gz" "${PROJECT_BINARY_DIR}/changelog.gz"
    DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/${name}" COMPONENT ${component} EXCLUDE_FROM_ALL)
  set(overrides "${PROJECT_SOURCE_DIR}/cmake/debian/${component}.overrides") # lintian's
  if(EXISTS "${overrides}")
    install(FILES "${overrides}" RENAME ${name}
      DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/lintian/overrides" COMPONENT ${component}
      EXCLUDE_FROM_ALL)
  endif()
endmacro()

bb_add_package(development libbb-contacts-dev libdevel
"endpoint for upserting contacts, as a library (development files)
For programs that use libbb_contacts: its headers, a static library, and what
pkg-config and CMake find it by.

Whoever links the static library needs the development packages that this one
suggests, too.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "libcjson-dev, libsodium-dev")
if(BB_WITH_SQLITE)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS ", libsqlite3-dev")
endif()
if(BB_WITH_POSTGRES)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS ", libpq-dev")
endif()

if(BUILD_SHARED_LIBS)
  bb_add_package(runtime libbb-contacts${PROJECT_VERSION_MAJOR} libs
"endpoint for upserting contacts, as a library
libbb_contacts implements one HTTP endpoint completely, namely
POST /api/v1/chatbots/:chatbotId/contacts: it authorizes, validates, and
stores contacts in PostgreSQL, SQLite or memory. It opens no port itself; a
program hands it the parts of a request, and gets a status and JSON to send.

This package has the shared library, with all backends but PostgreSQL.")
  if(BB_WITH_POSTGRES)
    bb_add_package(postgres libbb-contacts-postgres${PROJECT_VERSION_MAJOR} libs
"endpoint for upserting contacts, as a library (PostgreSQL)
libbb_contacts implements one HTTP endpoint completely, namely
POST /api/v1/chatbots/:chatbotId/contacts.

This package has its PostgreSQL backend. libbb_contacts loads it when a program
opens such a storage.")
    set(CPACK_COMPONENT_POSTGRES_DEPENDS runtime)
    set(CPACK_DEBIAN_POSTGRES_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/cmake/debian/triggers")
    set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS libbb-contacts-postgres${PROJECT_VERSION_MAJOR})
    set(CPACK_DEBIAN_SERVER_PACKAGE_SUGGESTS libbb-contacts-postgres${PROJECT_VERSION_MAJOR})
  endif()
  set(CPACK_COMPONENT_DEVELOPMENT_DEPENDS runtime)
  set(CPACK_COMPONENT_SERVER_DEPENDS runtime)
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/cmake/debian/triggers")
  # Programs built with this version need it or a later one; lib/README.md says why.
  set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
  set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
endif()

if(BB_BUILD_CONFORMANCE)
  bb_add_package(conformance libbb-contacts-conformance-dev libdevel
"conformance kit for storage backends of libbb_contacts
For authors of storage backends: a library of tests that check a backend
against the contract, with its header, and the contract and files of requests
and responses in /usr/share/bb_contacts.")
  set(CPACK_COMPONENT_CONFORMANCE_DEPENDS development)
  if(BUILD_SHARED_LIBS)
    bb_add_package(conformance_runtime libbb-contacts-conformance${PROJECT_VERSION_MAJOR} libs
"conformance kit for storage backends of libbb_contacts (shared library)
What a backend's tests load that were made with
libbb-contacts-conformance-dev.")
    list(APPEND CPACK_COMPONENT_CONFORMANCE_DEPENDS conformance_runtime)
    set(CPACK_COMPONENT_CONFORMANCE_RUNTIME_DEPENDS runtime)
    set(CPACK_DEBIAN_CONFORMANCE_RUNTIME_PACKAGE_CONTROL_EXTRA
      "${PROJECT_SOURCE_DIR}/cmake/debian/triggers")
  endif()
endif()

if(BB_BUILD_EXAMPLES)
  bb_add_package(server bb-contacts-server web
"endpoint for upserting contacts, as a server
A server for one HTTP endpoint, POST /api/v1/chatbots/:chatbotId/contacts. It
authorizes, validates, and stores contacts in PostgreSQL, SQLite or memory.

It is small, made of libbb_contacts and libmicrohttpd, and speaks no TLS. For
PostgreSQL it needs the package that this one suggests.")
endif()

include(CPack)

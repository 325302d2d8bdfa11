// SPDX-License-Identifier: Apache-2.0
// The tables of the SQLite store. Times are nanoseconds since 1970.
#pragma once

#define STORE_SCHEMA_VERSION 1

extern const char store_schema[];

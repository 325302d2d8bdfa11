// SPDX-License-Identifier: Apache-2.0
#pragma once

#define ROLLCALL_VERSION "0.1"

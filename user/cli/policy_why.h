// SPDX-License-Identifier: Apache-2.0
// `rollcall policy why`: an event as each rule sees it, field by field.
#pragma once

int policy_why(int argc, char **argv);

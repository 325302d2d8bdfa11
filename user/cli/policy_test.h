// SPDX-License-Identifier: Apache-2.0
// `rollcall policy test`: what another policy would say of a recording.
#pragma once

int policy_test(int argc, char **argv);

// SPDX-License-Identifier: Apache-2.0
// `rollcall policy suggest`: exceptions for what repeats most in a recording.
#pragma once

int policy_suggest(int argc, char **argv);

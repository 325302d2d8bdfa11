// SPDX-License-Identifier: Apache-2.0
// `rollcall policy except`: the narrowest exception for a finding.
#pragma once

int policy_except(int argc, char **argv);

// SPDX-License-Identifier: Apache-2.0
// `rollcall setup`, `rollcall setup profile`: proposes a product profile and says why.
#pragma once

int setup_profile(int argc, char **argv);

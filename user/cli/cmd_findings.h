// SPDX-License-Identifier: Apache-2.0
#pragma once

int cmd_findings(int argc, char **argv);

#!/usr/bin/env node
import '../dist/users-command/bin.js'

-- Drives the language server with Neovim's own client; prints what it answers as JSON.
local folder, python, root = os.getenv("FOLDER"), os.getenv("PYTHON"), os.getenv("ROOT")
local found = {}

local function start()
  local config = {
    name = "growlang",
    cmd = { python, "-m", "growlang", "lsp" },
    cmd_env = { PYTHONPATH = root },
    root_dir = folder,
    workspace_folders = { { uri = vim.uri_from_fname(folder), name = "specs" } },
  }
  if vim.lsp.start then return vim.lsp.start(config) end
  local id = vim.lsp.start_client(config) -- Neovim 0.7
  vim.wait(120000, function() return vim.lsp.get_client_by_id(id).initialized end)
  vim.lsp.buf_attach_client(0, id)
  return id
end

--- The answer to a request about a place: a row and a column, from 0.
local function ask(method, place, more)
  local document = { uri = vim.uri_from_bufnr(0) }
  local params = vim.tbl_extend("force", { textDocument = document }, more or {})
  if place then params.position = { line = place[1], character = place[2] } end
  for _, answer in pairs(vim.lsp.buf_request_sync(0, method, params, 120000) or {}) do
    if answer.error then return { error = answer.error.message } end
    return answer.result
  end
end

--- Where a piece of the text stands, some columns further.
local function place(piece, more)
  for row, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, true)) do
    local column = line:find(piece, 1, true)
    if column then return { row - 1, column - 1 + (more or 0) } end
  end
  error("no " .. piece)
end

vim.cmd("edit " .. folder .. "/core.grow")
start()
vim.wait(120000, function() return #vim.diagnostic.get(0) > 0 end)
found.diagnostics = vim.tbl_map(function(item) return { item.lnum, item.code } end, vim.diagnostic.get(0))
found.definition = ask("textDocument/definition", place("* depth", 3))
found.hover = ask("textDocument/hover", place("transformer", 2))
found.completion = ask("textDocument/completion", place("[self, text]", 9))
found.symbols = ask("textDocument/documentSymbol")
found.references = ask("textDocument/references", place("text  =", 1), { context = { includeDeclaration = true } })
found.highlights = ask("textDocument/documentHighlight", place("text  =", 1))
found.folds = ask("textDocument/foldingRange")
found.colours = ask("textDocument/semanticTokens/full")
found.prepared = ask("textDocument/prepareRename", place("text  =", 1))
found.refused = ask("textDocument/rename", place("text  =", 1), { newName = "Text" })
local edit = ask("textDocument/rename", place("text  =", 1), { newName = "captions" })
vim.lsp.util.apply_workspace_edit(edit, "utf-16")
local options = { tabSize = 2, insertSpaces = true }
local edits = ask("textDocument/formatting", nil, { options = options })
vim.lsp.util.apply_text_edits(edits, vim.api.nvim_get_current_buf(), "utf-16")
vim.cmd("wall")
local file = assert(io.open(folder .. "/found.json", "w"))
file:write(vim.fn.json_encode(found))
file:close()
vim.cmd("qall!")
